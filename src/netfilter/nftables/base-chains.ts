/** Where packets come to the rules of this program: the base chains, in tables that others may use too. */
import { type Chain, type ChainName, hookNumber } from "../../netlink/nftables/chain.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";

/**
 * Types of user data of our own. nft and iptables use low numbers and skip what they do not know. `interface` is what
 * earlier versions wrote in the place of `attachment`.
 */
export const datumType = { interface: 200, madeHere: 201, attachment: 202 } as const;

/** Marks what we had to make, see own-tables.ts. */
export const madeHere: UserDatum = { type: datumType.madeHere, value: Uint8Array.of(1) };

/** A base chain of ours, and what stands in its table as long as there is any rule of an attachment. */
export interface OwnChain extends Chain {
  /** Chains that go with it. */
  readonly companions: readonly ChainName[];
  /** Rules that it has even when no attachment does. */
  readonly rules: number;
}

const NF_ACCEPT = 1;
/** nft's `srcnat`. */
const SRCNAT = { type: "nat", hook: hookNumber.postrouting, priority: 100, policy: NF_ACCEPT } as const;
const MASQUERADE = { family: "inet", table: "cni_plugins_masquerade" } as const;

/** B28: where iptables-nft has the rules of IPv4 and IPv6. */
export const postroutingOf = (family: "ip" | "ip6"): OwnChain => ({
  family,
  table: "nat",
  chain: "POSTROUTING",
  base: SRCNAT,
  userData: [madeHere],
  companions: [],
  rules: 0,
});

/** B29: holds one rule for each address. */
export const MASQ_CHECKS: ChainName = { ...MASQUERADE, chain: "masq_checks" };

/** B29: where packets come into the table of the backend nftables, which is the reference's too. */
export const MASQ_POSTROUTING: OwnChain = {
  ...MASQUERADE,
  chain: "postrouting",
  base: SRCNAT,
  userData: [madeHere],
  companions: [MASQ_CHECKS],
  rules: 3,
};

/** B17: where frames come in. The table is that of ebtables as well. */
export const BRIDGE_PREROUTING: OwnChain = {
  family: "bridge",
  table: "nat",
  chain: "PREROUTING",
  // Before connection tracking and NAT of the bridge family: nft's `dstnat` there.
  base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: NF_ACCEPT },
  userData: [madeHere],
  companions: [],
  rules: 0,
};

/** Whether a chain is hooked where it has to be for packets to come to its rules. */
export const isHooked = (found: Chain | undefined, { base }: OwnChain): boolean =>
  found?.base !== undefined && found.base.type === base?.type && found.base.hook === base?.hook;
