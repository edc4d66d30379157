/** K12, A27: merges the results of earlier plugins behind the bridge's own result. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emptyResult, type Interface, type IpConfig, type Result } from "../../../src/cni/result.ts";
import { formatPrefix, parsePrefix } from "../../../src/net/prefix.ts";
import { withPrevious } from "../../../src/plugins/bridge/previous.ts";

const ip = (text: string, index?: number): IpConfig => {
  const address = parsePrefix(text);
  if (address === undefined) throw new Error(`${text} is no prefix`);
  return { address, ...(index !== undefined && { interface: index }) };
};

const resultOf = (
  interfaces: readonly string[],
  ips: readonly IpConfig[],
  rest: Partial<Result> = {},
): Result => ({
  ...emptyResult(),
  interfaces: interfaces.map(
    (name): Interface => ({ name, ...(!name.startsWith("host") && { sandbox: "/c" }) }),
  ),
  ips: [...ips],
  ...rest,
});

const OWN = resultOf(["hostbr", "hostveth", "eth0"], [ip("10.1.0.2/24", 2)]);
const LO = [ip("127.0.0.1/8", 0), ip("::1/128", 0)];

/** Names, and of each address the name of its interface. */
const shown = ({ interfaces, ips }: Result) => ({
  names: interfaces.map(({ name }) => name),
  ips: ips.map(({ address, interface: index }) => [
    formatPrefix(address),
    index === undefined ? undefined : (interfaces[index]?.name ?? "nowhere"),
  ]),
});

describe("K12: the result behind another plugin", () => {
  const own = shown(OWN);
  test.each<[string, Result, string[], unknown[]]>([
    ["loopback", resultOf(["lo"], LO), [], []],
    ["loopback of a version without interfaces", resultOf([], [ip("127.0.0.1/8")]), [], []],
    ["loopback without addresses", resultOf(["lo"], []), [], []],
    ["another interface", resultOf(["net1"], [ip("192.0.2.7/24", 0)]), ["net1"], [["192.0.2.7/24", "net1"]]],
    [
      "loopback between two others",
      resultOf(
        ["net1", "lo", "hostx", "net2"],
        [ip("192.0.2.7/24", 0), ip("127.0.0.1/8", 1), ip("192.0.2.9/24", 3), ip("192.0.2.8/24")],
      ),
      ["net1", "hostx", "net2"],
      [
        ["192.0.2.7/24", "net1"],
        ["192.0.2.9/24", "net2"],
        ["192.0.2.8/24", undefined],
      ],
    ],
    [
      "a lo with another address",
      resultOf(["lo"], [...LO, ip("192.0.2.7/32", 0)]),
      ["lo"],
      [
        ["127.0.0.1/8", "lo"],
        ["::1/128", "lo"],
        ["192.0.2.7/32", "lo"],
      ],
    ],
    [
      "an address with an invalid interface index",
      resultOf([], [ip("192.0.2.7/24", 5)]),
      [],
      [["192.0.2.7/24", undefined]],
    ],
  ])("%s", (_, previous, names, ips) => {
    const whole = shown(withPrevious(OWN, previous));
    expect(whole).toEqual({ names: [...own.names, ...names], ips: [...own.ips, ...ips] } as typeof whole);
  });

  test("earlier routes follow the bridge's own, and earlier dns is used if the bridge has none", () => {
    const route = (text: string) => ({ dst: ip(text).address });
    const previous = resultOf([], [], { routes: [route("10.2.0.0/16")], dns: { domain: "before" } });
    const mine = { ...OWN, routes: [route("0.0.0.0/0")] };
    expect(withPrevious(mine, previous).routes.map(({ dst }) => formatPrefix(dst))).toEqual([
      "0.0.0.0/0",
      "10.2.0.0/16",
    ]);
    expect(withPrevious(mine, previous).dns).toEqual({ domain: "before" });
    expect(withPrevious({ ...mine, dns: { domain: "own" } }, previous).dns).toEqual({ domain: "own" });
  });

  test("A27: each address outside loopback keeps its interface in any order", () => {
    const name = fc.constantFrom("lo", "net1", "net2", "hostx");
    const address = fc.constantFrom("127.0.0.1/8", "::1/128", "192.0.2.7/24", "fd00::7/64");
    fc.assert(
      fc.property(
        fc.array(name, { maxLength: 4 }),
        fc.array(fc.tuple(address, fc.nat(3)), { maxLength: 6 }),
        (names, pairs) => {
          const ips = pairs
            .filter(([, index]) => index < names.length)
            .map(([text, index]) => ip(text, index));
          const before = shown(resultOf(names, ips));
          const after = shown(withPrevious(OWN, resultOf(names, ips)));
          expect(after.names.slice(0, 3)).toEqual(own.names);
          expect(after.ips[0]).toEqual(own.ips[0] as (typeof after.ips)[0]);
          const lasting = (pairs: typeof before.ips) =>
            pairs.filter(([text]) => !/^(127|::1)/.test(text ?? ""));
          expect(lasting(after.ips.slice(1))).toEqual(lasting(before.ips));
          const others = (all: string[]) => all.filter((each) => each !== "lo");
          expect(others(after.names.slice(3))).toEqual(others(before.names));
        },
      ),
    );
  });
});
