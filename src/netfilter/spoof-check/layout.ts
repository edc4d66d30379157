/** What the check of one bridge port consists of (rule B17). Pure. */
import { type Chain, type ChainName, hookNumber } from "../../netlink/nftables/chain.ts";
import { comparison } from "../../netlink/nftables/expression/compare.ts";
import type { Expression } from "../../netlink/nftables/expression/expression.ts";
import { metaKey } from "../../netlink/nftables/expression/meta.ts";
import { payloadBase } from "../../netlink/nftables/expression/payload.ts";
import type { Rule } from "../../netlink/nftables/rule.ts";
import { comment } from "../../netlink/nftables/userdata.ts";
import { macChain, type SpoofCheckNames } from "../attachment-names.ts";
import { cString } from "../expressions.ts";
import { madeHere } from "../skeleton.ts";

/** The table of ebtables as well. */
export const TABLE = { family: "bridge", table: "nat" } as const;
/** Where frames come in. */
export const PREROUTING: Chain = {
  ...TABLE,
  chain: "PREROUTING",
  // Before connection tracking and NAT of the bridge family: nft's `dstnat` there.
  base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
  userData: [madeHere],
};
const REGISTER = 1;
const IFNAMSIZ = 16;
/** Offset of the source in an Ethernet header. */
const ETHER_SOURCE = 6;

/** The chain of a port, and the chain behind it that looks at the address. */
export const chainsOf = (chain: string): [port: ChainName, mac: ChainName] => [
  { ...TABLE, chain },
  { ...TABLE, chain: macChain(chain) },
];

const to = (verdict: "drop" | "return"): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict },
});

const jump = ({ chain }: ChainName): Expression => ({
  name: "immediate",
  register: 0,
  data: { verdict: "jump", chain },
});

const equals = (value: Uint8Array): Expression => ({
  name: "cmp",
  register: REGISTER,
  operator: comparison.equal,
  value,
});

/** Goes on only with frames that came through this port. */
function enteredThrough(hostInterface: string): Expression[] {
  const name = new Uint8Array(IFNAMSIZ);
  name.set(new TextEncoder().encode(hostInterface).subarray(0, IFNAMSIZ - 1));
  return [{ name: "meta", key: metaKey.iifname, register: REGISTER }, equals(name)];
}

/** The port that a rule of PREROUTING is about, if it names one. */
export function portOf({ expressions }: Rule): string | undefined {
  const name = expressions.find((expression) => expression.name === "cmp")?.value;
  return (name && cString(name)) || undefined;
}

const sentBy = (mac: Uint8Array): Expression[] => [
  { name: "payload", register: REGISTER, base: payloadBase.link, offset: ETHER_SOURCE, length: mac.length },
  equals(mac),
];

/** The rules, chain by chain, in the order in which they are added. */
export function layoutOf(names: SpoofCheckNames, hostInterface: string, mac: Uint8Array): Rule[] {
  const [port, macs] = chainsOf(names.chain);
  const userData = [comment(names.comment)];
  return [
    { ...PREROUTING, userData, expressions: [...enteredThrough(hostInterface), jump(port)] },
    { ...port, userData, expressions: [jump(macs)] },
    { ...macs, userData, expressions: [...sentBy(mac), to("return")] },
    { ...macs, userData, expressions: [to("drop")] },
  ].map(({ family, table, chain, userData, expressions }) => ({
    family,
    table,
    chain,
    userData,
    expressions,
  }));
}

/** In one transaction the rule of PREROUTING comes behind the two chains, and the kernel numbers them as they come. */
export const RULE_BEHIND_CHAIN = 2n;
