/** Where packets come to the rules of this program: base chains, in tables that others may use too. */
import { type Chain, type ChainName, hookNumber } from "../../netlink/nftables/chain.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";

/**
 * Types of user data of our own. nft and iptables use low numbers and skip what they do not know. `interface` is what
 * earlier versions wrote in the place of `attachment`; `madeHere` is for own-tables.ts.
 */
export const datumType = { interface: 200, madeHere: 201, attachment: 202 } as const;

/** Marks the tables and base chains that we had to make. */
export const madeHere: UserDatum = { type: datumType.madeHere, value: Uint8Array.of(1) };

/** A base chain, and what is in its table as long as there is any rule of an attachment. */
export interface OwnChain extends Chain {
  /** A chain that goes with it. */
  readonly companion?: ChainName;
  /** Rules that it has even when no attachment does. */
  readonly rules: number;
}

/** Policy 1 is NF_ACCEPT; priority 100 is nft's `srcnat`. */
const SRCNAT = { type: "nat", hook: hookNumber.postrouting, priority: 100, policy: 1 } as const;
const NAT = { table: "nat", chain: "POSTROUTING", base: SRCNAT, userData: [madeHere], rules: 0 } as const;

/** B28: where iptables-nft has the rules of IPv4 and IPv6. */
export const IPTABLES_POSTROUTING = {
  4: { family: "ip", ...NAT },
  6: { family: "ip6", ...NAT },
} as const satisfies Record<4 | 6, OwnChain>;

/** B29: holds one rule for each address. */
export const MASQ_CHECKS = { family: "inet", table: "cni_plugins_masquerade", chain: "masq_checks" } as const;

/** B29: where packets come into the table of the backend nftables, which is the reference's too. */
export const MASQ_POSTROUTING: OwnChain = {
  ...MASQ_CHECKS,
  chain: "postrouting",
  base: SRCNAT,
  userData: [madeHere],
  companion: MASQ_CHECKS,
  rules: 3,
};

/** B17: where frames come in. The table is that of ebtables as well; the priority is nft's `dstnat` for bridges. */
export const BRIDGE_PREROUTING: OwnChain = {
  family: "bridge",
  table: "nat",
  chain: "PREROUTING",
  base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
  userData: [madeHere],
  rules: 0,
};

/** Whether a chain is hooked where it has to be for packets to come to its rules. */
export function isHooked(found: Chain | undefined, { base }: OwnChain): boolean {
  return found?.base !== undefined && found.base.type === base?.type && found.base.hook === base?.hook;
}
