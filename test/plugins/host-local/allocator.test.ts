import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { intervalOf, sizeOf } from "../../../src/net/interval.ts";
import { formatIp, type IpAddress, parseIp } from "../../../src/net/ip.ts";
import { searchOrder } from "../../../src/plugins/host-local/allocator.ts";
import { RANGE_KEYS } from "../../../src/plugins/host-local/keys.ts";
import { parseRangeSet, type RangeSet, reservedAs } from "../../../src/plugins/host-local/range.ts";
import { parse } from "../../../src/schema/parse.ts";

const setOf = (...ranges: Record<string, string>[]): RangeSet =>
  parseRangeSet(
    ranges.map((range) => parse(RANGE_KEYS, range)),
    "ranges[0]",
  );

function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

/** Every address of the search order, one by one. */
function addresses(set: RangeSet, last?: string): string[] {
  const all: string[] = [];
  for (const { family, from, to } of searchOrder(set, last === undefined ? undefined : ip(last))) {
    for (let value = from; value <= to; value++) all.push(formatIp({ family, value }));
  }
  return all;
}

describe("the order in which addresses are tried", () => {
  test("H48: starts at the first address and skips the gateway", () => {
    expect(addresses(setOf({ subnet: "10.0.0.0/29" }))).toEqual([
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.4",
      "10.0.0.5",
      "10.0.0.6",
    ]);
  });

  test("H48: starts after the last reserved address, wraps around and ends with it", () => {
    expect(addresses(setOf({ subnet: "10.0.0.0/29" }), "10.0.0.4")).toEqual([
      "10.0.0.5",
      "10.0.0.6",
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.4",
    ]);
  });

  test("H48: visits all ranges", () => {
    const set = setOf(
      { subnet: "10.0.0.0/30" },
      { subnet: "10.1.0.0/29", rangeStart: "10.1.0.4" },
      { subnet: "10.2.0.0/30" },
    );
    expect(addresses(set, "10.1.0.5")).toEqual(["10.1.0.6", "10.2.0.2", "10.0.0.2", "10.1.0.4", "10.1.0.5"]);
  });

  test("H48: ignores a last reserved address outside the set", () => {
    const set = setOf({ subnet: "10.0.0.0/29" });
    for (const last of ["10.0.0.7", "10.0.1.3", "fd00::1"])
      expect(addresses(set, last)).toEqual(addresses(set));
  });

  test("L11: network and broadcast addresses are never given out, even within the bounds", () => {
    const set = setOf({
      subnet: "10.0.0.0/30",
      rangeStart: "10.0.0.0",
      rangeEnd: "10.0.0.3",
      gateway: "10.9.9.9",
    });
    expect(addresses(set)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(reservedAs(set, ip("10.0.0.0"))).toContain("network address");
    expect(reservedAs(set, ip("10.0.0.3"))).toContain("broadcast address");
    expect(reservedAs(set, ip("10.0.0.1"))).toBeUndefined();
    expect(addresses(setOf({ subnet: "10.0.0.0/30", rangeStart: "10.0.0.3" }))).toEqual([]);
  });

  test("L11: IPv6 has no broadcast address, so its last address is given out", () => {
    const set = setOf({ subnet: "fd00::/126", rangeStart: "fd00::" });
    expect(addresses(set)).toEqual(["fd00::2", "fd00::3"]);
    expect(reservedAs(set, ip("fd00::"))).toContain("network address");
  });

  test("H48: the gateway of one range is not given out by another range of the set", () => {
    const set = setOf(
      { subnet: "10.0.0.0/24", rangeStart: "10.0.0.2", rangeEnd: "10.0.0.4", gateway: "10.0.0.6" },
      { subnet: "10.0.0.0/24", rangeStart: "10.0.0.5", rangeEnd: "10.0.0.7" },
    );
    expect(addresses(set)).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.7"]);
  });

  test("a /64 takes no more steps than a /30", () => {
    const set = setOf({ subnet: "fd00::/64" });
    expect(searchOrder(set, ip("fd00::ffff"))).toHaveLength(2);
    expect(sizeOf(searchOrder(set, undefined))).toBe(2n ** 64n - 2n);
  });

  /** Ranges side by side in 10.0.0.0/16, some with odd gateways. */
  const anySet = fc
    .array(
      fc.record({ skip: fc.nat(3), size: fc.integer({ min: 1, max: 9 }), gateway: fc.option(fc.nat(60)) }),
      { minLength: 1, maxLength: 4 },
    )
    .map((parts) => {
      let next = 1;
      return setOf(
        ...parts.map(({ skip, size, gateway }) => {
          const start = next + skip;
          next = start + size;
          const bounds = { rangeStart: `10.0.0.${start}`, rangeEnd: `10.0.0.${next - 1}` };
          return {
            subnet: "10.0.0.0/16",
            ...bounds,
            ...(gateway !== null && { gateway: `10.0.0.${gateway}` }),
          };
        }),
      );
    });

  /** The reference's way: one address after the other around the ranges, in its own words of H48. */
  function stepByStep(set: RangeSet, last: IpAddress | undefined): string[] {
    const ring = set.ranges.flatMap(({ from, to }) => {
      const all: IpAddress[] = [];
      for (let value = from; value <= to; value++) all.push({ family: 4, value });
      return all;
    });
    const at = last === undefined ? -1 : ring.findIndex(({ value }) => value === last.value);
    const turned = [...ring.slice(at + 1), ...ring.slice(0, at + 1)];
    return turned.filter((address) => reservedAs(set, address) === undefined).map(formatIp);
  }

  test("H48: the order equals that of a plain walk around the ranges", () => {
    fc.assert(
      fc.property(anySet, fc.option(fc.nat(60)), (set, last) => {
        const hint = last === null ? undefined : `10.0.0.${last}`;
        expect(addresses(set, hint)).toEqual(stepByStep(set, hint === undefined ? undefined : ip(hint)));
        expect(sizeOf(searchOrder(set, undefined))).toBe(BigInt(addresses(set).length));
      }),
    );
  });

  test("H41: an address is in the range whose bounds contain it", () => {
    const set = setOf({ subnet: "10.0.0.0/24", rangeEnd: "10.0.0.9" }, { subnet: "10.0.1.0/24" });
    expect(intervalOf(set.ranges, ip("10.0.0.9"))?.subnet.address).toEqual(ip("10.0.0.0"));
    expect(intervalOf(set.ranges, ip("10.0.1.9"))?.subnet.address).toEqual(ip("10.0.1.0"));
    expect(intervalOf(set.ranges, ip("10.0.0.10"))).toBeUndefined();
    expect(intervalOf(set.ranges, ip("fd00::1"))).toBeUndefined();
  });
});
