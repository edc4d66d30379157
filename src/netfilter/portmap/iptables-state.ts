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
import { handleIn, mayBeUdp } from "../nftables/found-rule.ts";
import { containsAny, jumpsTo, type NftRule, partBytes, rulesIn } from "../nftables/found-rules.ts";
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

/**
 * The rules of a container's chain, their number, and the number that the kernel gave the last one. Of an attachment that has
 * the chain for itself only those that may be about UDP: the others are removed with it, whatever they are.
 */
function rulesFor(connection: Connection, where: Chain, mark: string | undefined) {
  if (mark !== undefined) {
    const own = [partBytes(mark)];
    let [count, others] = [0, 0];
    let last: Uint8Array = new Uint8Array();
    const rules = rulesIn(connection, where, undefined, () => {
      [count, others] = [0, 0];
      const message = (bytes: Uint8Array): boolean => {
        count++;
        last = bytes;
        if (containsAny(bytes, own)) return mayBeUdp(bytes);
        others++;
        return false;
      };
      return { datagram: () => true, message };
    });
    if (others === 0) return { rules, count, last: count === 0 ? 0n : handleIn(last) };
  }
  const rules = rulesIn(connection, where);
  let last = 0n;
  for (const { handle } of rules) if (handle > last) last = handle;
  return { rules, count: rules.length, last };
}

/**
 * What the removal of a container's chains needs.
 * @param mark that of the attachment, if there is only one. @throws NetlinkError
 */
export function readOwnNft(connection: Connection, family: Family, chain: string, mark?: string): NatState {
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const named = (name: string) => ({ family: tableFamily, table, chain: name });
  const old = chain.replace("CNI-DN-", "CNI-SN-");
  const found = findChains(connection, [named(chain), named(old)]);
  const chains = new Map<string, FoundRule[]>();
  const add = (where: Chain | undefined, entry: string): void => {
    if (where === undefined) return;
    const { rules, count, last } = rulesFor(connection, where, mark);
    chains.set(where.chain, rules);
    // What leads there was added right after the chain's last rule.
    const first = count === 0 ? 0n : last + 1n;
    chains.set(entry, jumpsTo(connection, named(entry), where.chain, (where.use ?? 0) - count, first));
  };
  add(found[0], SHARED.entry);
  // If something else leads there, the chain stays, and all its rules must be known.
  if (mark !== undefined && chains.get(SHARED.entry)?.some((entry) => entry.mark !== mark) === true)
    return readOwnNft(connection, family, chain);
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
