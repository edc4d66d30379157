/** Reads what the plans for published ports need of a nat table of iptables. */
import type { Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Chain } from "../../netlink/nftables/chain.ts";
import { portChain } from "../attachment-names.ts";
import { findChains, hasLegacyTable } from "../kernel.ts";
import {
  IPTABLES_OUTPUT,
  IPTABLES_POSTROUTING,
  IPTABLES_PREROUTING,
  type OwnChain,
} from "../nftables/base-chains.ts";
import { jumpsTo, type NftRule, rulesIn } from "../nftables/found-rules.ts";
import type { FoundRule } from "../rule.ts";
import { SHARED } from "./iptables-layout.ts";
import type { NatState } from "./iptables-removal.ts";
import { entriesAmong } from "./port-sieve.ts";
import type { Published } from "./published.ts";

/** The state, and the base chains that do not exist. */
export interface NftState extends NatState {
  readonly missing: readonly OwnChain[];
  readonly hasExternalChain: boolean;
}

const NOTHING: NatState = { chains: new Map(), isMasquerading: false };

/** What ADD and CHECK need of iptables-nft. @throws NetlinkError */
export function readNft(connection: Connection, family: Family, published: Published): NftState {
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const named = (chain: string) => ({ family: tableFamily, table, chain });
  const bases = [IPTABLES_PREROUTING[family], IPTABLES_OUTPUT[family], IPTABLES_POSTROUTING[family]];
  const own = portChain(published);
  const external = published.externalSetMarkChain;
  const names = [own, SHARED.entry, SHARED.setMark, SHARED.masquerade, ...bases.map(({ chain }) => chain)];
  const found = findChains(connection, [...names, ...(external === undefined ? [] : [external])].map(named));
  const chains = new Map<string, readonly NftRule[]>();
  for (const chain of found.slice(0, names.length)) {
    if (chain === undefined || chain.chain === "POSTROUTING") continue;
    const sieve = chain.chain === SHARED.entry ? entriesAmong(own, published, family) : undefined;
    chains.set(chain.chain, rulesIn(connection, chain, undefined, sieve));
  }
  const masquerade = found[names.indexOf(SHARED.masquerade)];
  return {
    chains,
    // The chain's use counts its rules and what leads there.
    isMasquerading: (masquerade?.use ?? 0) > (chains.get(SHARED.masquerade)?.length ?? 0),
    missing: bases.filter((_, index) => found[4 + index] === undefined),
    hasExternalChain: external === undefined || found[names.length] !== undefined,
  };
}

/** What the removal of a container's chains needs. @throws NetlinkError */
export function readOwnNft(connection: Connection, family: Family, chain: string): NatState {
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const named = (name: string) => ({ family: tableFamily, table, chain: name });
  const old = chain.replace("CNI-DN-", "CNI-SN-");
  const found = findChains(connection, [named(chain), named(old)]);
  const chains = new Map<string, FoundRule[]>();
  const add = (where: Chain | undefined, entry: string): void => {
    if (where === undefined) return;
    const rules = rulesIn(connection, where);
    chains.set(where.chain, rules);
    // What leads there was added right after the chain's last rule.
    let first = 0n;
    for (const { handle } of rules) if (handle >= first) first = handle + 1n;
    const leading = jumpsTo(connection, named(entry), where.chain, (where.use ?? 0) - rules.length, first);
    chains.set(entry, leading);
  };
  add(found[0], SHARED.entry);
  add(found[1], SHARED.oldEntry);
  return { chains, isMasquerading: false };
}

/** The same of iptables-legacy, whose table is always read whole. @throws SystemError, DecodeError */
export async function readLegacy(family: Family): Promise<NatState> {
  // Reading the table would create it.
  if (!hasLegacyTable(family, "nat")) return NOTHING;
  const { chains } = (await import("../iptables/legacy-table.ts")).readTable(family, "nat");
  const isMasquerading =
    chains.get("POSTROUTING")?.some(({ rule }) => rule?.target === SHARED.masquerade) ?? false;
  return { chains, isMasquerading };
}
