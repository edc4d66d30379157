/** Our requests equal those of `nft` for the same action to the last byte. */
import { expect, test } from "bun:test";
import { ipToBytes, parseIp } from "../../../src/net/ip.ts";
import { parseMac } from "../../../src/net/mac.ts";
import type { Request } from "../../../src/netlink/connection.ts";
import { flag } from "../../../src/netlink/message.ts";
import { encodeBatch } from "../../../src/netlink/nftables/batch.ts";
import { addChain, deleteChain, hookNumber } from "../../../src/netlink/nftables/chain.ts";
import { addElements, concatenate, deleteElements } from "../../../src/netlink/nftables/element.ts";
import {
  comparison,
  type Expression,
  metaKey,
  payloadBase,
} from "../../../src/netlink/nftables/expression.ts";
import { addRule, deleteRule, flushChain, insertRule } from "../../../src/netlink/nftables/rule.ts";
import { addSet, deleteSet } from "../../../src/netlink/nftables/set.ts";
import { addTable, deleteTable } from "../../../src/netlink/nftables/table.ts";
import { comment, text } from "../../../src/netlink/nftables/userdata.ts";
import { readGolden, readGoldens, requestsOf } from "../../golden/golden.ts";
import { hostOrder } from "../attributes.ts";

const T = { family: "inet", table: "t" } as const;
const C = { ...T, chain: "c" };
const S = { ...T, set: "s" };
const M = { ...T, set: "m" };
const BRIDGE = { family: "bridge", table: "t", chain: "c" } as const;

const ip = (text: string): Uint8Array => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return ipToBytes(address);
};
const cmp = (value: Uint8Array, operator: number = comparison.equal): Expression => ({
  name: "cmp",
  register: 1,
  operator,
  value,
});
const nfproto = (number: number): Expression[] => [
  { name: "meta", key: metaKey.nfproto, register: 1 },
  cmp(Uint8Array.of(number)),
];
const network = (offset: number, length: number): Expression => ({
  name: "payload",
  register: 1,
  base: payloadBase.network,
  offset,
  length,
});
const mask = (bytes: Uint8Array): Expression => ({
  name: "bitwise",
  source: 1,
  target: 1,
  mask: bytes,
  xor: new Uint8Array(bytes.length),
});
const verdict = (name: "accept" | "drop" | "return"): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict: name },
});
/** A number in host order, and the comment of a set, in libnftnl's form. */
const number = (type: number, value: number) => ({ type, value: hostOrder(value) });
const setComment = (words: string) => text(7, words);
/** Byte order of a set's key and data in libnftnl's form: 1 host, 2 network, 0 for a concatenation. */
const keyOrder = (order: number) => number(0, order);
const dataOrder = (order: number) => number(1, order);
/** A map's data is not an interval. */
const DATA_INTERVAL = number(6, 0);
/** nft's user data about the parts of `ipv4_addr . inet_service`. */
const PARTS = { type: 3, value: Uint8Array.fromHex("00040d0000000100") };

const REQUESTS: Readonly<Record<string, readonly Request[]>> = {
  "table-add": [addTable({ ...T, flags: 0 })],
  "table-add-comment": [addTable({ ...T, flags: 0, userData: [comment("hello")] })],
  "table-delete": [deleteTable(T)],
  "chain-add": [addChain({ ...C, userData: [comment("hello")] })],
  "chain-add-nat": [addChain({ ...C, base: { type: "nat", hook: hookNumber.postrouting, priority: 100 } })],
  "chain-add-bridge": [
    addChain({
      ...BRIDGE,
      base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
    }),
  ],
  "chain-delete": [deleteChain(C)],
  "chain-flush": [flushChain(C)],
  "rule-add-masquerade": [
    addRule({
      ...C,
      userData: [comment("hello")],
      expressions: [
        ...nfproto(2),
        network(12, 4),
        cmp(ip("10.1.2.3")),
        network(16, 4),
        mask(ip("255.255.254.0")),
        cmp(ip("10.1.2.0"), comparison.notEqual),
        { name: "masq" },
      ],
    }),
  ],
  "rule-add-multicast": [
    addRule({
      ...C,
      expressions: [
        ...nfproto(2),
        network(16, 4),
        mask(ip("240.0.0.0")),
        cmp(ip("224.0.0.0")),
        verdict("return"),
      ],
    }),
  ],
  "rule-add-goto": [
    addRule({
      ...C,
      expressions: [{ name: "immediate", register: 0, data: { verdict: "goto", chain: "d" } }],
    }),
  ],
  "rule-insert": [insertRule({ ...C, expressions: [verdict("accept")] })],
  "rule-add-bridge": [
    addRule({
      ...BRIDGE,
      expressions: [
        { name: "meta", key: metaKey.iifname, register: 1 },
        cmp(new TextEncoder().encode("veth12345678\0\0\0\0")),
        { name: "immediate", register: 0, data: { verdict: "jump", chain: "d" } },
      ],
    }),
  ],
  "rule-add-ether": [
    addRule({
      ...BRIDGE,
      expressions: [
        { name: "payload", register: 1, base: payloadBase.link, offset: 6, length: 6 },
        cmp(parseMac("02:00:00:00:00:01") ?? new Uint8Array()),
        verdict("return"),
      ],
    }),
  ],
  "rule-add-vmap": [
    addRule({
      ...C,
      expressions: [
        ...nfproto(2),
        network(12, 4),
        { name: "lookup", set: "v", register: 1, target: 0, setId: 1 },
      ],
    }),
  ],
  "rule-add-not-in-set": [
    addRule({
      ...C,
      expressions: [
        ...nfproto(2),
        network(16, 4),
        { name: "lookup", set: "s", register: 1, inverted: true, setId: 1 },
        verdict("drop"),
      ],
    }),
  ],
  "rule-delete": [deleteRule({ ...C, handle: 2n })],
  "set-add": [addSet({ ...S, key: ["ipv4_addr"], id: 1, userData: [keyOrder(2), setComment("hello")] })],
  "set-add-size": [addSet({ ...S, key: ["ether_addr"], id: 1, size: 64, userData: [keyOrder(2)] })],
  "set-add-interval": [addSet({ ...S, key: ["ipv6_addr"], id: 1, interval: true, userData: [keyOrder(2)] })],
  "set-add-concatenation": [
    addSet({ ...S, key: ["ipv4_addr", "inet_service"], id: 1, userData: [keyOrder(0), PARTS] }),
  ],
  "set-add-concatenation-interval": [
    addSet({
      ...S,
      key: ["ipv4_addr", "inet_service"],
      interval: true,
      id: 1,
      userData: [keyOrder(0), PARTS],
    }),
  ],
  "map-add": [
    addSet({
      ...M,
      key: ["ipv4_addr"],
      data: "mark",
      id: 1,
      userData: [keyOrder(2), dataOrder(1), DATA_INTERVAL],
    }),
  ],
  "map-add-verdict": [
    addSet({
      ...M,
      key: ["ifname"],
      data: "verdict",
      id: 1,
      userData: [keyOrder(1), dataOrder(0), DATA_INTERVAL],
    }),
  ],
  "set-delete": [deleteSet(S)],
  "element-add": [addElements({ ...S, id: 1 }, [{ key: ip("10.1.2.3"), userData: [comment("hello")] }])],
  "element-add-interval": [
    addElements({ ...S, id: 1 }, [
      { key: ip("0.0.0.0"), intervalEnd: true },
      { key: ip("10.1.2.0") },
      { key: ip("10.1.3.0"), intervalEnd: true },
    ]),
  ],
  "element-add-concatenation": [
    addElements({ ...S, id: 1 }, [{ key: concatenate(ip("10.1.2.3"), Uint8Array.of(0, 80)) }]),
  ],
  "element-add-concatenation-interval": [
    addElements({ ...S, id: 1 }, [
      {
        key: concatenate(ip("10.1.2.0"), Uint8Array.of(0, 80)),
        keyEnd: concatenate(ip("10.1.2.255"), Uint8Array.of(0, 90)),
      },
    ]),
  ],
  "element-add-map": [
    addElements({ ...M, id: 1 }, [{ key: ip("10.1.2.3"), data: { value: ip("fd00::3") } }]),
  ],
  "element-add-verdict": [
    addElements({ ...M, id: 1 }, [{ key: ip("10.1.2.3"), data: { verdict: "goto", chain: "c" } }]),
  ],
  "element-delete": [deleteElements(S, [{ key: ip("10.1.2.3") }])],
};

/** Has an anonymous set of its own, or a counter, which nft sends empty; or is in test/netfilter/expressions.test.ts. */
const ELSEWHERE = [
  "iptables-restore",
  "iptables-restore-filter",
  "iptables6-restore",
  "iptables6-restore-filter",
  "iptables-restore-ports",
  "iptables6-restore-ports",
  "rule-add-dnat",
  "rule-add-dnat6",
  "rule-add-local",
  "rule-add-translated",
  "rule-add-set",
  ...["tables", "chains", "rules", "sets", "elements"].map((name) => `list-${name}`),
];

/** Requests inside the bounds of a transaction. */
const changesIn = (name: string) =>
  requestsOf(readGolden("nftables", name)).filter(({ type }) => type >= 0xa00);

/** nft gets the table with flags that the kernel ignores. */
const looksAt = (type: number): number => (type === 0xa00 ? flag.exclusive : 0xf00);

test.each(Object.entries(REQUESTS))("%s", (name, requests) => {
  const theirs = changesIn(name);
  expect(requests.map(({ payload }) => payload.toHex())).toEqual(
    theirs.map(({ payload }) => payload.toHex()),
  );
  expect(requests.map(({ type }) => type)).toEqual(theirs.map(({ type }) => type));
  expect(requests.map(({ type, flags }) => flags & looksAt(type))).toEqual(
    theirs.map(({ type, flags }) => flags & looksAt(type)),
  );
});

test("the bounds of a transaction are those of nft and iptables-nft", () => {
  const bounds = (name: string) =>
    requestsOf(readGolden("nftables", name))
      .filter(({ type }) => type < 0xa00)
      .map(({ type, payload }) => [type, payload.toHex()]);
  const ours = (generation?: number) =>
    encodeBatch([deleteTable(T)], generation)
      .filter(({ type }) => type < 0xa00)
      .map(({ type, payload }) => [type, payload.toHex()]);
  expect(ours()).toEqual(bounds("table-delete"));
  // iptables-nft sends the generation that it has read.
  expect(ours(1)).toEqual(bounds("iptables-restore"));
});

test("every golden is used", () => {
  const names = readGoldens("nftables").map(({ name }) => name);
  expect(names.sort()).toEqual([...Object.keys(REQUESTS), ...ELSEWHERE].sort());
});
