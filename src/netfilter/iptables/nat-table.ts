/** Reads and changes the nat table of one family in either variant of iptables. */
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { networkMark, parseIptablesComment, parseMarker } from "../attachment-names.ts";
import { hasLegacyTable } from "../kernel.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { having, rulesIn } from "../nftables/found-rules.ts";
import type { FoundRule } from "../rule.ts";
import { type ChainState, chainState, type Plan } from "./chain-state.ts";
import type { Place } from "./change.ts";
import { readNft, updateNft } from "./nft-table.ts";

/** All tables that can hold rules: the host's iptables may have had another variant before. */
export const allTables = (connection: Connection | undefined): Place[] =>
  FAMILIES.flatMap((family): Place[] => [
    ...(connection === undefined ? [] : [{ family, connection }]),
    ...(hasLegacyTable(family, "nat") ? [{ family, connection: undefined }] : []),
  ]);

/** Rules by chain. A missing table is not read, since reading would create it. */
const readLegacy = async (family: Family): Promise<ReadonlyMap<string, readonly FoundRule[]>> =>
  hasLegacyTable(family, "nat")
    ? (await import("./legacy-table.ts")).readTable(family, "nat").chains
    : new Map();

/** The container's chain; undefined if it does not exist. @throws CniError, NetlinkError */
export async function readChain(
  { family, connection }: Place,
  chain: string,
): Promise<ChainState | undefined> {
  if (connection !== undefined) return readNft(connection, family, chain);
  const chains = await readLegacy(family);
  const jumps = chains.get("POSTROUTING")?.filter(({ target }) => target === chain) ?? [];
  const rules = chains.get(chain);
  return rules && chainState(chain, rules, jumps);
}

/** The rules of a network. @throws CniError, NetlinkError */
export async function networkRules({ family, connection }: Place, network: string) {
  const ofNetwork = ({ rule, mark = parseMarker(rule?.comment)?.mark }: FoundRule): boolean =>
    parseIptablesComment(rule?.comment)?.network === network ||
    mark?.startsWith(networkMark(network)) === true;
  if (connection === undefined) return [...(await readLegacy(family)).values()].flat().filter(ofNetwork);
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const texts = [`name: "${network}"`, networkMark(network)];
  return rulesIn(connection, { family: tableFamily, table }, ofNetwork, having(texts));
}

/**
 * Reads the chain, and makes the changes of `plan` in one transaction. If another program was faster, it reads the
 * chain and calls `plan` again. Without changes there is no transaction. @throws CniError, NetlinkError
 */
export async function updateChain(place: Place, chain: string, plan: Plan): Promise<void> {
  const { family, connection } = place;
  if (connection !== undefined) return updateNft(connection, chain, [{ family, plan }]);
  const { updateLegacy } = await import("./legacy-changes.ts");
  await updateLegacy(family, "nat", chain, async () => plan(await readChain(place, chain)));
}
