/** Prefixes against ip-cidr. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import IPCIDR from "ip-cidr";
import { bits, type Family, formatIp, type IpAddress } from "../../src/net/ip.ts";
import {
  contains,
  defaultPrefix,
  formatPrefix,
  lastAddress,
  networkOf,
  overlaps,
  type Prefix,
  parsePrefix,
  samePrefix,
} from "../../src/net/prefix.ts";

const value = (family: Family) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits(family))) - 1n });
const addressOf = (family: Family) =>
  value(family)
    .filter((number) => family === 4 || number >> 32n !== 0xffffn)
    .map((number): IpAddress => ({ family, value: number }));
const prefixOf = (family: Family) =>
  fc.record({ address: addressOf(family), length: fc.integer({ min: 0, max: bits(family) }) });
const family = fc.constantFrom<Family>(4, 6);
const prefix = family.chain(prefixOf);

/** Two prefixes of which one is often inside the other. */
const pair = fc.tuple(prefix, prefix, fc.boolean()).map(([a, b, near]): [Prefix, Prefix] => {
  if (!near || a.address.family !== b.address.family) return [a, b];
  const low = (1n << BigInt(bits(a.address.family) >> 1)) - 1n;
  const { family: kind } = a.address;
  return [a, { ...b, address: { family: kind, value: (a.address.value & ~low) | (b.address.value & low) } }];
});

const judge = (text: string) => new IPCIDR(text);

describe("parsePrefix", () => {
  test("reads what formatPrefix writes, host bits included", () => {
    fc.assert(fc.property(prefix, (p) => expect(parsePrefix(formatPrefix(p))).toEqual(p)));
  });

  test.each([
    ["no length", "10.0.0.1"],
    ["an empty length", "10.0.0.1/"],
    ["a leading zero", "10.0.0.1/08"],
    ["a sign", "10.0.0.1/+8"],
    ["a negative length", "10.0.0.1/-1"],
    ["a length too great", "10.0.0.1/33"],
    ["a length too great for IPv6", "::/129"],
    ["a mask", "10.0.0.1/255.0.0.0"],
    ["two lengths", "10.0.0.1/8/8"],
    ["a space", "10.0.0.1/8 "],
    ["a line feed", "10.0.0.1/8\n"],
    ["a fraction", "10.0.0.1/8.0"],
    ["an exponent", "10.0.0.1/1e1"],
    ["a bad address", "10.0.0/8"],
    ["nothing before the length", "/8"],
    ["an IPv4-mapped address: its length could count from either start", "::ffff:10.0.0.1/24"],
    ["an IPv4-mapped address with a length of IPv6", "::ffff:10.0.0.1/120"],
  ])("refuses %s", (_, text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

describe("the network of a prefix", () => {
  test("begins and ends where ip-cidr says", () => {
    fc.assert(
      fc.property(prefix, (p) => {
        const cidr = judge(formatPrefix(p));
        const canonical = (text: string) => IPCIDR.createAddress(text).correctForm();
        expect(formatIp(networkOf(p).address)).toBe(canonical(cidr.start()));
        expect(formatIp(lastAddress(p))).toBe(canonical(cidr.end()));
        expect(networkOf(p).length).toBe(p.length);
      }),
      { numRuns: 1000 },
    );
  });

  test("holds what ip-cidr says", () => {
    fc.assert(
      fc.property(pair, ([p, { address }]) => {
        const sameFamily = p.address.family === address.family;
        const held = sameFamily && judge(formatPrefix(p)).contains(formatIp(address));
        expect(contains(p, address)).toBe(held);
        expect(contains(p, p.address)).toBe(true);
        expect(contains(p, lastAddress(p))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test("overlaps another when one holds the other's beginning, and so do they the other way round", () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [first, last] = [
          (p: Prefix) => networkOf(p).address.value,
          (p: Prefix) => lastAddress(p).value,
        ];
        const disjoint = last(a) < first(b) || last(b) < first(a);
        expect(overlaps(a, b)).toBe(a.address.family === b.address.family && !disjoint);
        expect(overlaps(b, a)).toBe(overlaps(a, b));
      }),
      { numRuns: 1000 },
    );
  });
});

test("the default route's destination", () => {
  expect(formatPrefix(defaultPrefix(4))).toBe("0.0.0.0/0");
  expect(formatPrefix(defaultPrefix(6))).toBe("::/0");
});

test("samePrefix looks at host bits, length and family", () => {
  const same = (a: string, b: string) => samePrefix(parsePrefix(a) as Prefix, parsePrefix(b) as Prefix);
  expect(same("10.0.0.1/24", "10.0.0.1/24")).toBe(true);
  expect(same("10.0.0.1/24", "10.0.0.2/24")).toBe(false);
  expect(same("10.0.0.1/24", "10.0.0.1/25")).toBe(false);
  expect(same("0.0.0.0/0", "::/0")).toBe(false);
});
