/** The codec against the real kernel and the real tool: what we apply lists like what `nft -f` applies. */
import { describe, expect } from "bun:test";
import { ipToBytes, parseIp } from "../../../src/net/ip.ts";
import { parseMac } from "../../../src/net/mac.ts";
import { Connection, type Request } from "../../../src/netlink/connection.ts";
import { commit, rehearse } from "../../../src/netlink/nftables/batch.ts";
import {
  addChain,
  decodeChain,
  deleteChain,
  dumpChains,
  hookNumber,
} from "../../../src/netlink/nftables/chain.ts";
import {
  addElements,
  concatenate,
  decodeElements,
  deleteElements,
  getElements,
} from "../../../src/netlink/nftables/element.ts";
import {
  comparison,
  type Expression,
  metaKey,
  payloadBase,
} from "../../../src/netlink/nftables/expression.ts";
import {
  addRule,
  decodeRule,
  deleteRule,
  dumpRules,
  flushChain,
  insertRule,
} from "../../../src/netlink/nftables/rule.ts";
import { addSet, decodeSet, deleteSet, dumpSets } from "../../../src/netlink/nftables/set.ts";
import { addTable, deleteTable } from "../../../src/netlink/nftables/table.ts";
import { comment, text } from "../../../src/netlink/nftables/userdata.ts";
import { NetlinkSocket, protocol } from "../../../src/netlink/socket.ts";
import { hostOrder } from "../../netlink/attributes.ts";
import { hostTest } from "../../support/host-test.ts";
import { nftRules } from "./listings.ts";

const openNetfilter = () => new Connection(new NetlinkSocket(protocol.netfilter));

const T = { family: "inet", table: "t" } as const;
const C = { ...T, chain: "c" };
const S = { ...T, set: "s" };

const ip = (text: string): Uint8Array => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return ipToBytes(address);
};
const meta = (key: number): Expression => ({ name: "meta", key, register: 1 });
const cmp = (value: Uint8Array, operator: number = comparison.equal): Expression => ({
  name: "cmp",
  register: 1,
  operator,
  value,
});
const network = (offset: number, length: number, register = 1): Expression => ({
  name: "payload",
  register,
  base: payloadBase.network,
  offset,
  length,
});
const bitwise = (mask: Uint8Array): Expression => ({
  name: "bitwise",
  source: 1,
  target: 1,
  mask,
  xor: new Uint8Array(mask.length),
});
const lookup = (set: string, more: object = {}): Expression => ({
  name: "lookup",
  set,
  register: 1,
  ...more,
});
/** To chain d. */
const to = (verdict: "jump" | "goto", chain = "d"): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict, chain },
});
/** A rule of chain c. */
const rule = (...expressions: Expression[]) => addRule({ ...C, expressions });
/** Elements of a set of table t. */
const elements = (set: string, ...keys: Uint8Array[]) =>
  addElements(
    { ...T, set },
    keys.map((key) => ({ key })),
  );
const v4 = [meta(metaKey.nfproto), cmp(Uint8Array.of(2))];
const v6 = [meta(metaKey.nfproto), cmp(Uint8Array.of(10))];
const verdict = (name: "accept" | "drop" | "return"): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict: name },
});
/** Byte orders that libnftnl notes of a set: 1 host, 2 network. */
/** A number in host order, and the comment of a set, as libnftnl keeps them. */
const number = (type: number, value: number) => ({ type, value: hostOrder(value) });
const setComment = (words: string) => text(7, words);
const order = (key: number) => number(0, key);

interface Case {
  readonly name: string;
  /** For `nft -f`. */
  readonly ruleset: string;
  readonly requests: readonly Request[];
}

const base = { type: "nat", hook: hookNumber.postrouting, priority: 100, policy: 1 } as const;

const CASES: readonly Case[] = [
  {
    name: "a table with a comment",
    ruleset: 'table inet t { comment "hello"; }',
    requests: [addTable({ ...T, userData: [comment("hello")] })],
  },
  {
    name: "base chains of several types, hooks, priorities and policies",
    ruleset: `
      table inet t {
        chain a { type nat hook postrouting priority srcnat; policy accept; }
        chain b { type filter hook forward priority -7; policy drop; }
      }
      table bridge t { chain a { type filter hook prerouting priority -300; policy accept; }; }
      table ip6 t { chain a { comment "hello"; }; }`,
    requests: [
      addTable(T),
      addChain({ ...T, chain: "a", base }),
      addChain({
        ...T,
        chain: "b",
        base: { type: "filter", hook: hookNumber.forward, priority: -7, policy: 0 },
      }),
      addTable({ family: "bridge", table: "t" }),
      addChain({
        family: "bridge",
        table: "t",
        chain: "a",
        base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
      }),
      addTable({ family: "ip6", table: "t" }),
      addChain({ family: "ip6", table: "t", chain: "a", userData: [comment("hello")] }),
    ],
  },
  {
    name: "rules: addresses, prefixes, masquerading, jumps, counters, comments, order",
    ruleset: `
      table inet t {
        chain c {
          ip saddr 10.1.2.3 ip daddr != 10.1.2.0/23 masquerade comment "first"
          ip6 saddr fd00::3 ip6 daddr != fd00::/60 counter masquerade
          ip daddr 224.0.0.0/4 return
          jump d
          goto d
        }
        chain d { }
        chain p { type nat hook postrouting priority srcnat; policy accept; goto c; }
      }`,
    requests: [
      addTable(T),
      addChain(C),
      addChain({ ...T, chain: "d" }),
      addChain({ ...T, chain: "p", base }),
      addRule({
        ...T,
        chain: "p",
        expressions: [to("goto", "c")],
      }),
      rule(
        ...v6,
        network(8, 16),
        cmp(ip("fd00::3")),
        network(24, 16),
        bitwise(ip("ffff:ffff:ffff:fff0::")),
        cmp(ip("fd00::"), comparison.notEqual),
        { name: "counter", packets: 0n, bytes: 0n },
        { name: "masq" },
      ),
      rule(...v4, network(16, 4), bitwise(ip("240.0.0.0")), cmp(ip("224.0.0.0")), verdict("return")),
      rule(to("jump")),
      rule(to("goto")),
      insertRule({
        ...C,
        userData: [comment("first")],
        expressions: [
          ...v4,
          network(12, 4),
          cmp(ip("10.1.2.3")),
          network(16, 4),
          bitwise(ip("255.255.254.0")),
          cmp(ip("10.1.2.0"), comparison.notEqual),
          { name: "masq" },
        ],
      }),
    ],
  },
  {
    name: "rules on interfaces and hardware addresses",
    ruleset: `
      table bridge t { chain c {
        iifname "veth12345678" accept
        ether saddr 02:00:00:00:00:01 drop
      }; }`,
    requests: [
      addTable({ family: "bridge", table: "t" }),
      addChain({ ...C, family: "bridge" }),
      addRule({
        ...C,
        family: "bridge",
        expressions: [
          meta(metaKey.iifname),
          cmp(new TextEncoder().encode("veth12345678\0\0\0\0")),
          verdict("accept"),
        ],
      }),
      addRule({
        ...C,
        family: "bridge",
        expressions: [
          { name: "payload", register: 1, base: payloadBase.link, offset: 6, length: 6 },
          cmp(parseMac("02:00:00:00:00:01") ?? new Uint8Array()),
          verdict("drop"),
        ],
      }),
    ],
  },
  {
    name: "sets of each type, with sizes, comments and elements",
    ruleset: `
      table inet t {
        set s { type ipv4_addr; comment "hello"; elements = { 10.1.2.3 comment "one", 10.1.2.4 } }
        set six { type ipv6_addr; size 10; elements = { fd00::1 } }
        set m { type ether_addr; elements = { 02:00:00:00:00:01 } }
        set p { type inet_service; elements = { 80 } }
        set l { type inet_proto; elements = { tcp } }
        set i { type ifname; elements = { "veth1" } }
        set k { type mark; elements = { 0x00000007 } }
      }`,
    requests: [
      addTable(T),
      addSet({ ...S, key: ["ipv4_addr"], userData: [order(2), setComment("hello")] }),
      addElements(S, [{ key: ip("10.1.2.3"), userData: [comment("one")] }, { key: ip("10.1.2.4") }]),
      addSet({ ...T, set: "six", key: ["ipv6_addr"], size: 10, userData: [order(2)] }),
      elements("six", ip("fd00::1")),
      addSet({ ...T, set: "m", key: ["ether_addr"], userData: [order(2)] }),
      elements("m", parseMac("02:00:00:00:00:01") ?? new Uint8Array()),
      addSet({ ...T, set: "p", key: ["inet_service"], userData: [order(2)] }),
      elements("p", Uint8Array.of(0, 80)),
      addSet({ ...T, set: "l", key: ["inet_proto"], userData: [order(2)] }),
      elements("l", Uint8Array.of(6)),
      addSet({ ...T, set: "i", key: ["ifname"], userData: [order(1)] }),
      elements("i", new TextEncoder().encode("veth1".padEnd(16, "\0"))),
      addSet({ ...T, set: "k", key: ["mark"], userData: [order(1)] }),
      elements("k", Uint8Array.of(7, 0, 0, 0)),
    ],
  },
  {
    name: "intervals, concatenations, and both",
    ruleset: `
      table inet t {
        set i { type ipv4_addr; flags interval; elements = { 10.1.2.0/24, 10.9.0.1-10.9.0.7 } }
        set k { type ipv4_addr . inet_service; elements = { 10.1.2.3 . 80 } }
        set s { type ipv4_addr . inet_service; flags interval; elements = { 10.1.2.0/24 . 80-90 } }
      }`,
    requests: [
      addTable(T),
      addSet({ ...T, set: "i", key: ["ipv4_addr"], interval: true, userData: [order(2)] }),
      addElements({ ...T, set: "i" }, [
        { key: ip("0.0.0.0"), intervalEnd: true },
        { key: ip("10.1.2.0") },
        { key: ip("10.1.3.0"), intervalEnd: true },
        { key: ip("10.9.0.1") },
        { key: ip("10.9.0.8"), intervalEnd: true },
      ]),
      addSet({ ...T, set: "k", key: ["ipv4_addr", "inet_service"] }),
      elements("k", concatenate(ip("10.1.2.3"), Uint8Array.of(0, 80))),
      addSet({ ...S, key: ["ipv4_addr", "inet_service"], interval: true }),
      addElements(S, [
        {
          key: concatenate(ip("10.1.2.0"), Uint8Array.of(0, 80)),
          keyEnd: concatenate(ip("10.1.2.255"), Uint8Array.of(0, 90)),
        },
      ]),
    ],
  },
  {
    name: "maps and verdict maps, and rules that look in them and in sets",
    ruleset: `
      table inet t {
        map m { type ipv4_addr : mark; elements = { 10.1.2.3 : 0x00000007 } }
        map v { type ipv4_addr : verdict; elements = { 10.1.2.3 : goto d, 10.1.2.4 : drop } }
        set s { type ipv4_addr . ipv4_addr; elements = { 10.1.2.3 . 10.1.2.0 } }
        chain c {
          ip saddr vmap @v
          ip saddr . ip daddr @s accept
          ip saddr . ip daddr != @s drop
          ip saddr { 10.1.2.8, 10.1.2.9 } accept
        }
        chain d { }
      }`,
    requests: [
      addTable(T),
      addChain(C),
      addChain({ ...T, chain: "d" }),
      addSet({ ...T, set: "m", key: ["ipv4_addr"], data: "mark", userData: [order(2), number(1, 1)] }),
      addElements({ ...T, set: "m" }, [{ key: ip("10.1.2.3"), data: { value: Uint8Array.of(7, 0, 0, 0) } }]),
      addSet({ ...T, set: "v", key: ["ipv4_addr"], data: "verdict", userData: [order(2), number(1, 0)] }),
      addElements({ ...T, set: "v" }, [
        { key: ip("10.1.2.3"), data: { verdict: "goto", chain: "d" } },
        { key: ip("10.1.2.4"), data: { verdict: "drop" } },
      ]),
      addSet({ ...S, key: ["ipv4_addr", "ipv4_addr"] }),
      addElements(S, [{ key: concatenate(ip("10.1.2.3"), ip("10.1.2.0")) }]),
      rule(...v4, network(12, 4), lookup("v", { target: 0 })),
      // The parts of a concatenation lie side by side: registers of four bytes, from 8 on.
      rule(...v4, network(12, 4, 1), network(16, 4, 9), lookup("s"), verdict("accept")),
      rule(...v4, network(12, 4, 1), network(16, 4, 9), lookup("s", { inverted: true }), verdict("drop")),
      addSet({ ...T, set: "__set%d", id: 9, key: ["ipv4_addr"], anonymous: true, constant: true, size: 2 }),
      addElements({ ...T, set: "__set%d", id: 9 }, [{ key: ip("10.1.2.8") }, { key: ip("10.1.2.9") }]),
      rule(...v4, network(12, 4), lookup("__set%d", { setId: 9 }), verdict("accept")),
    ],
  },
];

/** Elements of a set come in no order. */
const normalized = (lines: readonly string[]): string[] =>
  lines
    .map((line) =>
      JSON.stringify(JSON.parse(line), (key, value) =>
        key === "elem" || key === "set"
          ? Array.isArray(value)
            ? value.map((item) => JSON.stringify(item)).sort()
            : value
          : value,
      ),
    )
    // Chains and sets are listed in the order of their making.
    .sort((a, b) => (a.includes('{"rule"') || b.includes('{"rule"') ? 0 : a < b ? -1 : 1));

/** Rules in their order, everything else sorted. */
function parts(lines: readonly string[]): { rules: string[]; others: string[] } {
  const isRule = (line: string) => line.startsWith('{"rule"');
  const byChain = (line: string) => (JSON.parse(line) as { rule: { chain: string } }).rule.chain;
  const rules = lines.filter(isRule);
  return {
    rules: rules.toSorted((a, b) => byChain(a).localeCompare(byChain(b))),
    others: normalized(lines.filter((line) => !isRule(line))).sort(),
  };
}

describe("lists like what nft applies", () => {
  hostTest.each(CASES.map((entry) => [entry.name, entry] as const))(
    "%s",
    async (host, _, { ruleset, requests }) => {
      await host.run(["nft", "-f", "-"], { stdin: ruleset });
      const expected = parts(await nftRules());
      await host.run("nft flush ruleset");
      using connection = openNetfilter();
      commit(connection, requests);
      expect(parts(await nftRules())).toEqual(expected);
      expect(expected.others.length).toBeGreaterThan(0);
      await host.run("nft flush ruleset");
    },
  );

  hostTest.each(CASES.map((entry) => [entry.name, entry] as const))(
    "a rehearsal changes nothing: %s",
    async (_host, _, { requests }) => {
      using connection = openNetfilter();
      rehearse(connection, requests);
      expect(await nftRules()).toEqual([]);
    },
  );
});

hostTest("what nft applied is decoded, and encoded again it is the same", async (host) => {
  await host.run(["nft", "-f", "-"], { stdin: CASES[6]?.ruleset ?? "" });
  const before = parts(await nftRules());
  using connection = openNetfilter();
  const chains = connection.dump(dumpChains("inet"), decodeChain);
  const rules = connection.dump(dumpRules(T), decodeRule);
  const found = connection.dump(dumpSets(T), decodeSet);
  expect(found.map(({ set }) => set).sort()).toEqual(["__set0", "m", "s", "v"]);
  // Everything but the sets is taken away and put back as it was decoded.
  commit(connection, [
    ...rules
      .filter(({ expressions }) => !JSON.stringify(expressions).includes("__set0"))
      .map((rule) => deleteRule(rule)),
  ]);
  const anonymous = rules.filter(({ expressions }) => JSON.stringify(expressions).includes("__set0"));
  expect(anonymous.length).toBe(1);
  const again = rules
    .filter((rule) => !anonymous.includes(rule))
    .map(({ handle, position, ...rule }) => rule)
    .toReversed();
  commit(
    connection,
    again.map((rule) => insertRule(rule)),
  );
  expect(parts(await nftRules())).toEqual(before);
  expect(chains.map(({ chain }) => chain)).toEqual(["c", "d"]);
  await host.run("nft flush ruleset");
});

hostTest("everything is deleted by its name", async (host) => {
  await host.run(["nft", "-f", "-"], {
    stdin:
      "table inet t { set s { type ipv4_addr; elements = { 10.1.2.3, 10.1.2.4 }; }\n chain c { accept; }\n }",
  });
  using connection = openNetfilter();
  const [element] = connection
    .dump(getElements(S, []), decodeElements)
    .flat()
    .filter(({ key }) => key[3] === 3);
  expect(element?.key).toEqual(ip("10.1.2.3"));
  commit(connection, [deleteElements(S, element === undefined ? [] : [element])]);
  expect(connection.call(getElements(S, [{ key: ip("10.1.2.4") }])).flatMap(decodeElements).length).toBe(1);
  expect(() => connection.call(getElements(S, [{ key: ip("10.1.2.3") }]))).toThrow("ENOENT");
  commit(connection, [flushChain(C), deleteChain(C), deleteSet(S)]);
  expect(await nftRules()).toEqual(['{"table":{"family":"inet","name":"t"}}']);
  commit(connection, [deleteTable(T)]);
});

hostTest("a transaction is made as a whole or not at all, and the error names the change", async () => {
  using connection = openNetfilter();
  const attempt = () =>
    commit(connection, [
      addTable(T),
      addChain(C),
      deleteChain({ ...T, chain: "missing" }),
      addChain({ ...T, chain: "d" }),
    ]);
  expect(attempt).toThrow("cannot delete chain missing of table inet t: no such file or directory (ENOENT)");
  expect(await nftRules()).toEqual([]);
});

hostTest("thousands of changes are one transaction", async (host) => {
  using connection = openNetfilter();
  const rules = Array.from({ length: 3000 }, () =>
    addRule({ ...C, userData: [comment("x".repeat(100))], expressions: [verdict("accept")] }),
  );
  commit(connection, [addTable(T), addChain(C), ...rules]);
  const found = connection.dump(dumpRules(C), decodeRule);
  expect(found.length).toBe(3000);
  commit(
    connection,
    found.map((rule) => deleteRule(rule)),
  );
  expect(connection.dump(dumpRules(C), decodeRule).length).toBe(0);
  await host.run("nft flush ruleset");
});
