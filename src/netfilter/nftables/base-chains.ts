/** The base chains through which packets reach our rules. Other programs may use their tables too. */
import { type Chain, type ChainName, hookNumber } from "../../netlink/nftables/chain.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";

/**
 * Types of our own user data. nft and iptables use low numbers and skip unknown ones. Earlier versions wrote
 * `interface` instead of `attachment`; own-tables.ts uses `madeHere`, and firewall/ keeps the bridge of an attachment in
 * `ingress`.
 */
export const datumType = {
  interface: 200,
  madeHere: 201,
  attachment: 202,
  ingress: 203,
  owner: 204,
} as const;

/** Marks the tables and base chains that this program created. */
export const madeHere: UserDatum = { type: datumType.madeHere, value: Uint8Array.of(1) };

/** A base chain, and what else its table contains even without any attachment. */
export interface OwnChain extends Chain {
  /** A chain that is deleted with it. */
  readonly companion?: ChainName;
  /** Number of rules that it has even without any attachment. */
  readonly rules: number;
}

/** Policy 1 is NF_ACCEPT; priority 100 is nft's `srcnat`. */
const SRCNAT = { type: "nat", hook: hookNumber.postrouting, priority: 100, policy: 1 } as const;
/** Priority -100 is nft's `dstnat`. */
const DSTNAT = { type: "nat", priority: -100, policy: 1 } as const;
const NAT = { table: "nat", chain: "POSTROUTING", base: SRCNAT, userData: [madeHere], rules: 0 } as const;

/** B28: the chains of iptables-nft for IPv4 and IPv6. */
export const IPTABLES_POSTROUTING = {
  4: { family: "ip", ...NAT },
  6: { family: "ip6", ...NAT },
} as const satisfies Record<4 | 6, OwnChain>;

/** M11: the other chains of iptables-nft that lead to published ports. */
const translating = (chain: string, hook: number) => ({
  4: { ...IPTABLES_POSTROUTING[4], chain, base: { ...DSTNAT, hook } },
  6: { ...IPTABLES_POSTROUTING[6], chain, base: { ...DSTNAT, hook } },
});
export const IPTABLES_PREROUTING = translating("PREROUTING", hookNumber.prerouting);
export const IPTABLES_OUTPUT = translating("OUTPUT", hookNumber.output);

/** M11: the chain of iptables-nft that leads to the chains of all containers with published ports. */
export const IPTABLES_HOSTPORTS = {
  4: { family: "ip", table: "nat", chain: "CNI-HOSTPORT-DNAT" },
  6: { family: "ip6", table: "nat", chain: "CNI-HOSTPORT-DNAT" },
} as const satisfies Record<4 | 6, ChainName>;
/** Rules that lead there: of PREROUTING and of OUTPUT. */
export const HOSTPORTS_LEADS = 2;

/** M15: the chains of published ports of the backend nftables, by family. */
const hostports = (family: "ip" | "ip6") => {
  const own = { family, table: "cni_hostport", userData: [madeHere], rules: 0 } as const;
  return {
    ports: { ...own, chain: "hostports" },
    /** Only old versions of the reference put rules here. */
    hostIpPorts: { ...own, chain: "hostip_hostports" },
    all: { ...own, chain: "hostports_all" },
    prerouting: { ...own, chain: "prerouting", base: { ...DSTNAT, hook: hookNumber.prerouting } },
    output: { ...own, chain: "output", base: { ...DSTNAT, hook: hookNumber.output } },
    masquerading: { ...own, chain: "masquerading", base: SRCNAT },
  } as const satisfies Record<string, OwnChain>;
};
export const HOSTPORTS = { 4: hostports("ip"), 6: hostports("ip6") } as const;

/** F7: the chains of iptables-nft through which forwarded packets pass. */
const FORWARD = {
  table: "filter",
  chain: "FORWARD",
  base: { type: "filter", hook: hookNumber.forward, priority: 0, policy: 1 },
  userData: [madeHere],
  rules: 0,
} as const;
export const IPTABLES_FORWARD = {
  4: { family: "ip", ...FORWARD },
  6: { family: "ip6", ...FORWARD },
} as const satisfies Record<4 | 6, OwnChain>;

/** B29: contains one rule for each address. */
export const MASQ_CHECKS = { family: "inet", table: "cni_plugins_masquerade", chain: "masq_checks" } as const;

/** B29: the entry into the table of the backend nftables, which the reference uses too. */
export const MASQ_POSTROUTING: OwnChain = {
  ...MASQ_CHECKS,
  chain: "postrouting",
  base: SRCNAT,
  userData: [madeHere],
  companion: MASQ_CHECKS,
  rules: 3,
};

/** B17: the entry of frames. ebtables uses this table too; the priority is nft's `dstnat` for bridges. */
export const BRIDGE_PREROUTING: OwnChain = {
  family: "bridge",
  table: "nat",
  chain: "PREROUTING",
  base: { type: "filter", hook: hookNumber.prerouting, priority: -300, policy: 1 },
  userData: [madeHere],
  rules: 0,
};

/** Whether a chain exists, and is used by no more than the rules that lead there without any attachment. */
export const isIdle = (found: Chain | undefined, leading: number): boolean =>
  found?.use !== undefined && found.use <= leading;

/** Whether a chain has the type and hook through which packets reach its rules. */
export function isHooked(found: Chain | undefined, { base }: OwnChain): boolean {
  return found?.base !== undefined && found.base.type === base?.type && found.base.hook === base?.hook;
}
