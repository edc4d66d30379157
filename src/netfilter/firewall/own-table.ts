/**
 * The firewall's own table of nf_tables (rules F20, F42): it isolates bridges, and records the addresses of containers. Its
 * rules are the same for all containers, which differ only in elements of sets, so that its cost does not grow with them.
 */
import type { Family } from "../../net/ip.ts";
import type { Request } from "../../netlink/connection.ts";
import { addChain, type ChainName, hookNumber } from "../../netlink/nftables/chain.ts";
import {
  comparison,
  ctKey,
  type Expression,
  metaKey,
  payloadBase,
} from "../../netlink/nftables/expression.ts";
import { addRule, flushChain } from "../../netlink/nftables/rule.ts";
import { addSet, type NewSet } from "../../netlink/nftables/set.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { comment, type UserDatum } from "../../netlink/nftables/userdata.ts";
import { madeHere, type OwnChain } from "../nftables/base-chains.ts";

/** The table. */
export const TABLE = { family: "inet", table: "cni_firewall" } as const;

/** Through which forwarded packets enter. */
export const ENTRY: OwnChain = {
  ...TABLE,
  chain: "forward",
  base: { type: "filter", hook: hookNumber.forward, priority: 0, policy: 1 },
  userData: [madeHere],
  rules: 0,
};

/** The chain that decides by the two bridges of a packet. */
export const ISOLATION = { ...TABLE, chain: "isolation" } as const satisfies ChainName;

/** Makes nft show names: NFTNL_UDATA_SET_KEYBYTEORDER of libnftnl/udata.h, with BYTEORDER_HOST_ENDIAN of nft. */
const HOST_ORDER: UserDatum = { type: 0, value: Uint8Array.of(1, 0, 0, 0) };

/** Bridges with a policy, and by bridge twice what happens inside of it. */
export const BRIDGES: NewSet = { ...TABLE, set: "bridges", key: ["ifname"], userData: [HOST_ORDER] };
export const WITHIN: NewSet = { ...TABLE, set: "within", key: ["ifname", "ifname"], data: "verdict" };

/** The addresses of containers, and those whose published ports are accepted. */
export const ADDRESSES: Readonly<Record<Family, NewSet>> = {
  4: { ...TABLE, set: "addresses_v4", key: ["ipv4_addr"] },
  6: { ...TABLE, set: "addresses_v6", key: ["ipv6_addr"] },
};
export const PUBLISHED: Readonly<Record<Family, NewSet>> = {
  4: { ...TABLE, set: "published_v4", key: ["ipv4_addr"] },
  6: { ...TABLE, set: "published_v6", key: ["ipv6_addr"] },
};

/** Chains and sets of the table, without administrators' chains. */
export const OBJECTS = 8;

/** A rule, as its expressions and its comment. */
export interface OwnRule {
  readonly expressions: readonly Expression[];
  readonly words: string;
}

/** Second of the registers that hold 16 bytes each. */
const NEXT = 2;
/** Bits of the connection's state: established, related; and IPS_DST_NAT of its status. */
const ANSWER = Uint8Array.of(6, 0, 0, 0);
const TRANSLATED = Uint8Array.of(1 << 5, 0, 0, 0);
/** NFPROTO_*, and where a header has source and destination. */
const HEADERS = {
  4: { protocol: 2, source: 12, destination: 16, length: 4 },
  6: { protocol: 10, source: 8, destination: 24, length: 16 },
} as const;

const meta = (key: number, register = 1): Expression => ({ name: "meta", key, register });
const lookup = (set: string): Expression => ({ name: "lookup", set, register: 1 });
const verdict = (word: "accept" | "drop"): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict: word },
});
const jump = (chain: string): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict: "jump", chain },
});

/** The rules of the isolation: within a bridge its own verdict, between two bridges none may pass. */
export const ISOLATION_RULES: readonly OwnRule[] = [
  {
    expressions: [
      meta(metaKey.iifname),
      meta(metaKey.oifname, NEXT),
      { name: "lookup", set: WITHIN.set, register: 1, target: 0 },
    ],
    words: "inside a bridge",
  },
  {
    expressions: [
      meta(metaKey.iifname),
      lookup(BRIDGES.set),
      meta(metaKey.oifname),
      lookup(BRIDGES.set),
      verdict("drop"),
    ],
    words: "from one bridge to another",
  },
];

/** The rules of the entry. `accepts` says whether there are rules for addresses. */
export function entryRules(adminChains: readonly string[], accepts: boolean): readonly OwnRule[] {
  const rules: OwnRule[] = [{ expressions: [jump(ISOLATION.chain)], words: "isolation of bridges" }];
  for (const chain of adminChains)
    rules.push({ expressions: [jump(chain)], words: "rules of the administrator come first" });
  if (!accepts) return rules;
  for (const family of [4, 6] as const) {
    const { protocol, source, destination, length } = HEADERS[family];
    const about = (offset: number, { set }: NewSet): Expression[] => [
      meta(metaKey.nfproto),
      { name: "cmp", register: 1, operator: comparison.equal, value: Uint8Array.of(protocol) },
      { name: "payload", register: 1, base: payloadBase.network, offset, length },
      lookup(set),
    ];
    const has = (key: number, mask: Uint8Array): Expression[] => [
      { name: "ct", key, register: 1 },
      { name: "bitwise", source: 1, target: 1, mask, xor: new Uint8Array(4) },
      { name: "cmp", register: 1, operator: comparison.notEqual, value: new Uint8Array(4) },
      verdict("accept"),
    ];
    rules.push(
      {
        expressions: [...about(destination, ADDRESSES[family]), ...has(ctKey.state, ANSWER)],
        words: "answers",
      },
      {
        expressions: [...about(destination, PUBLISHED[family]), ...has(ctKey.status, TRANSLATED)],
        words: "connections to published ports",
      },
      { expressions: [...about(source, ADDRESSES[family]), verdict("accept")], words: "from containers" },
    );
  }
  return rules;
}

/** Adds the table, its chains and sets, which stay if they exist, and rewrites its rules. */
export function tableRequests(adminChains: readonly string[], accepts: boolean): Request[] {
  const rules = (chain: string, list: readonly OwnRule[]): Request[] => [
    flushChain({ ...TABLE, chain }),
    ...list.map(({ expressions, words }) =>
      addRule({ ...TABLE, chain, expressions, userData: [comment(words)] }),
    ),
  ];
  return [
    addTable({
      ...TABLE,
      userData: [comment("firewall of containers, by the CNI plugin firewall"), madeHere],
    }),
    ...[BRIDGES, WITHIN, ADDRESSES[4], ADDRESSES[6], PUBLISHED[4], PUBLISHED[6]].map((set, index) =>
      addSet({ ...set, id: index + 1 }),
    ),
    addChain(ISOLATION),
    ...adminChains.map((chain) => addChain({ ...TABLE, chain, userData: [madeHere] })),
    addChain(ENTRY),
    ...rules(ISOLATION.chain, ISOLATION_RULES),
    ...rules(ENTRY.chain, entryRules(adminChains, accepts)),
  ];
}
