/** The nat table of the host, whichever variant of iptables keeps it. */
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { FoundRule } from "../rule.ts";
import { type ChainState, type Plan, toolOf } from "./chain-state.ts";
import { hasLegacyTable } from "./legacy-presence.ts";
import { networkRulesNft, readNft, updateNft } from "./nft-table.ts";

/** The nat table of one family as one variant of iptables keeps it. */
export interface NatTable {
  readonly family: Family;
  /** To nf_tables, where the nft variant keeps it; undefined for x_tables. */
  readonly connection: Connection | undefined;
}

/** For errors: "iptables-nft", "ip6tables-legacy". */
export const nameOf = ({ family, connection }: NatTable): string =>
  `${toolOf(family)}-${connection === undefined ? "legacy" : "nft"}`;

const legacy = () => import("./legacy-table.ts");

/** The chain of that name; undefined when there is none. @throws CniError, NetlinkError */
export const readChain = async (table: NatTable, chain: string): Promise<ChainState | undefined> =>
  table.connection === undefined
    ? (await legacy()).readLegacy(table.family, chain)
    : readNft(table.connection, table.family, chain);

/**
 * Reads the chain, lets `plan` say what to do, and does it in one transaction. The state may be read, and `plan`
 * called, again when another program was faster. No changes, no transaction. @throws CniError, NetlinkError
 */
export async function updateChain(
  { family, connection }: NatTable,
  chain: string,
  plan: Plan,
): Promise<void> {
  if (connection !== undefined) updateNft(connection, chain, [{ family, plan }]);
  else (await legacy()).updateLegacy(family, chain, plan);
}

/** The rules of a network. @throws CniError, NetlinkError */
export const networkRules = async (
  { family, connection }: NatTable,
  network: string,
): Promise<readonly FoundRule[]> =>
  connection !== undefined
    ? networkRulesNft(connection, family, network)
    : (await legacy()).networkRulesLegacy(family, network);

/** All tables that can hold rules, whatever the host's iptables is now: another one may have been before. */
export function allTables(connection: Connection | undefined): NatTable[] {
  const tables: NatTable[] = [];
  for (const family of FAMILIES) {
    if (connection !== undefined) tables.push({ family, connection });
    if (hasLegacyTable(family)) tables.push({ family, connection: undefined });
  }
  return tables;
}
