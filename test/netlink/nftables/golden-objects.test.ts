/** Decodes the kernel's replies to `nft list ruleset`. The rule set is in the head of each golden. */
import { describe, expect, test } from "bun:test";
import { ipToBytes, parseIp } from "../../../src/net/ip.ts";
import { decodeChain } from "../../../src/netlink/nftables/chain.ts";
import { concatenate, decodeElements } from "../../../src/netlink/nftables/element.ts";
import { decodeRule } from "../../../src/netlink/nftables/rule.ts";
import { dataType, decodeSet, setFlag } from "../../../src/netlink/nftables/set.ts";
import { decodeTable } from "../../../src/netlink/nftables/table.ts";
import { commentOf, textOf } from "../../../src/netlink/nftables/userdata.ts";
import { readGolden, repliesOf } from "../../golden/golden.ts";

const objects = (name: string) =>
  repliesOf(readGolden("nftables", `list-${name}`)).filter(({ type }) => type >= 0xa00);

const ip = (text: string): Uint8Array => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return ipToBytes(address);
};

test("a table with its comment and the number of its objects", () => {
  const [table, ...others] = objects("tables").map(decodeTable);
  expect(others).toEqual([]);
  // Two chains and five sets.
  expect(table).toMatchObject({ family: "inet", table: "t", use: 7, handle: 1n });
  expect(commentOf(table?.userData)).toBe("a table");
});

test("chains: hooks, a comment, the number of rules and jumps", () => {
  const [regular, base] = objects("chains").map(decodeChain);
  // Three rules, and jumps from one rule and one element.
  expect(regular).toMatchObject({ family: "inet", table: "t", chain: "c", use: 5 });
  expect(regular?.base).toBeUndefined();
  expect(commentOf(regular?.userData)).toBe("a chain");
  expect(base?.base).toEqual({ type: "nat", hook: 4, priority: 100, policy: 1 });
  expect(base?.use).toBe(1);
});

describe("rules", () => {
  const rules = objects("rules").map(decodeRule);

  test("are in their order, with handles and the previous rule", () => {
    expect(rules.map(({ chain, handle, position }) => [chain, handle, position])).toEqual([
      ["c", 3n, undefined],
      ["c", 4n, 3n],
      ["c", 5n, 4n],
      ["p", 6n, undefined],
    ]);
  });

  test("consist of expressions", () => {
    expect(rules[0]?.expressions).toEqual([
      { name: "meta", register: 1, key: 15 },
      { name: "cmp", register: 1, operator: 0, value: Uint8Array.of(2) },
      { name: "payload", register: 1, base: 1, offset: 12, length: 4 },
      { name: "cmp", register: 1, operator: 0, value: ip("10.1.2.3") },
      // nft compares only the network's bytes if the prefix has whole bytes.
      { name: "payload", register: 1, base: 1, offset: 16, length: 3 },
      { name: "cmp", register: 1, operator: 1, value: ip("10.1.2.0").subarray(0, 3) },
      { name: "counter", packets: 0n, bytes: 0n },
      { name: "masq" },
    ]);
    expect(rules.map(({ userData }) => commentOf(userData))).toEqual([
      "a rule",
      undefined,
      undefined,
      undefined,
    ]);
    expect(rules[3]?.expressions).toEqual([
      { name: "immediate", register: 0, data: { verdict: "goto", chain: "c" } },
    ]);
  });
});

test("sets and maps: types, lengths, flags, comment", () => {
  const sets = objects("sets").map(decodeSet);
  const { ipv4_addr, inet_service, mark } = dataType;
  const concatenation = (ipv4_addr.id << 6) | inet_service.id;
  expect(sets.map(({ set, flags = 0, keyType, keyLength }) => [set, flags, keyType, keyLength])).toEqual([
    ["s", 0, ipv4_addr.id, 4],
    ["i", setFlag.interval, ipv4_addr.id, 4],
    ["k", setFlag.interval | setFlag.concatenation, concatenation, 8],
    ["m", setFlag.map, ipv4_addr.id, 4],
    ["v", setFlag.map, ipv4_addr.id, 4],
  ]);
  expect(sets[2]?.fields).toEqual([{ length: 4 }, { length: 2 }]);
  expect(sets.map((set) => set.dataType)).toEqual([undefined, undefined, undefined, mark.id, 0xffffff00]);
  expect(textOf(sets[0]?.userData, 7)).toBe("a set");
  expect(sets.every(({ handle }) => handle !== undefined)).toBe(true);
});

test("elements: keys, intervals, concatenations, data of maps, comments", () => {
  const elements = objects("elements")
    .map(decodeElements)
    .filter((list) => list.length > 0);
  const plain = elements.map((list) => list.map(({ userData, unknown, ...element }) => element));
  expect(plain).toEqual([
    [{ key: ip("10.1.2.3") }],
    // The kernel lists an interval set from the end.
    [
      { key: ip("10.1.3.0"), intervalEnd: true },
      { key: ip("10.1.2.0") },
      { key: ip("0.0.0.0"), intervalEnd: true },
    ],
    [
      {
        key: concatenate(ip("10.1.2.0"), Uint8Array.of(0, 80)),
        keyEnd: concatenate(ip("10.1.2.255"), Uint8Array.of(0, 90)),
      },
    ],
    [{ key: ip("10.1.2.3"), data: { value: Uint8Array.of(7, 0, 0, 0) } }],
    [{ key: ip("10.1.2.3"), data: { verdict: "goto", chain: "c" } }],
  ]);
  expect(commentOf(elements[0]?.[0]?.userData)).toBe("an element");
});
