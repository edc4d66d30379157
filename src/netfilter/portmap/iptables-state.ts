/** Reads what the plans for published ports need of a nat table of iptables. */
import { indexOfBytes } from "#engine";
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
import {
  containsAny,
  jumpsTo,
  type NftRule,
  partBytes,
  type RuleSieve,
  rulesIn,
} from "../nftables/found-rules.ts";
import type { FoundRule } from "../rule.ts";
import { SHARED } from "./iptables-layout.ts";
import type { NatState } from "./iptables-removal.ts";
import { mappingsOf, type Published } from "./published.ts";

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
    const sieve = chain.chain === SHARED.entry ? entriesOf(own, published, family) : undefined;
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

const MULTIPORT = partBytes("multiport\0");
/** From that name to the attribute with the match's data, struct xt_multiport_v1, and in that to the number of ports. */
const INFO_AT = 20;
const COUNT_AT = INFO_AT + 5;
/** NFTA_MATCH_INFO. */
const MATCH_INFO = 3;

/** Of the rules that lead to containers, those that lead to this chain or have one of the host's ports. */
function entriesOf(chain: string, published: Published, family: Family): () => RuleSieve {
  const own = [partBytes(chain)];
  const ports = mappingsOf(published, family).map(({ hostPort }) => hostPort);
  const parts = [...own, ...ports.map((port) => Uint8Array.of(port, port >>> 8))];
  const hasPort = (bytes: Uint8Array): boolean => {
    const at = indexOfBytes(bytes, MULTIPORT);
    // Another order of attributes than all known kernels have.
    if (at >= 0 && bytes[at + INFO_AT + 2] !== MATCH_INFO) return true;
    const count = at < 0 ? 0 : (bytes[at + COUNT_AT] ?? 0);
    for (let port = at + COUNT_AT + 1; port <= at + COUNT_AT + 2 * count; port += 2)
      if (ports.includes((bytes[port] ?? 0) | ((bytes[port + 1] ?? 0) << 8))) return true;
    return false;
  };
  const message = (bytes: Uint8Array): boolean => containsAny(bytes, own) || hasPort(bytes);
  return () => ({ datagram: (bytes) => containsAny(bytes, parts), message });
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
