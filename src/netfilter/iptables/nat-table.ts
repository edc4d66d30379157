/** Reads and changes the nat table of one family in either variant of iptables. */
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { networkMark, parseIptablesComment, parseMarker } from "../attachment-names.ts";
import { hasLegacyTable } from "../kernel.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { rulesIn } from "../nftables/found-rules.ts";
import { type FoundRule, ruleText } from "../rule.ts";
import { type ChainState, type Change, chainState, marker, type NatTable, type Plan } from "./chain-state.ts";
import { readNft, updateNft } from "./nft-table.ts";

/** For errors: "iptables-nft", "ip6tables-legacy". */
export const nameOf = ({ family, connection }: NatTable): string =>
  `${family === 4 ? "iptables" : "ip6tables"}-${connection === undefined ? "legacy" : "nft"}`;

/** All tables that can hold rules: the host's iptables may have had another variant before. */
export const allTables = (connection: Connection | undefined): NatTable[] =>
  FAMILIES.flatMap((family): NatTable[] => [
    ...(connection === undefined ? [] : [{ family, connection }]),
    ...(hasLegacyTable(family) ? [{ family, connection: undefined }] : []),
  ]);

const legacy = () => import("./legacy-table.ts");

/** Rules by chain. A missing table is not read, since reading would create it. */
const readLegacy = async (family: Family): Promise<ReadonlyMap<string, readonly FoundRule[]>> =>
  hasLegacyTable(family) ? (await legacy()).readTable(family) : new Map();

/** The container's chain; undefined if it does not exist. @throws CniError, NetlinkError */
export async function readChain(
  { family, connection }: NatTable,
  chain: string,
): Promise<ChainState | undefined> {
  if (connection !== undefined) return readNft(connection, family, chain);
  const chains = await readLegacy(family);
  const jumps = chains.get("POSTROUTING")?.filter(({ target }) => target === chain) ?? [];
  const rules = chains.get(chain);
  return rules && chainState(chain, rules, jumps);
}

/** The rules of a network. @throws CniError, NetlinkError */
export async function networkRules({ family, connection }: NatTable, network: string) {
  const ofNetwork = ({ rule, mark = parseMarker(rule?.comment)?.mark }: FoundRule): boolean =>
    parseIptablesComment(rule?.comment)?.network === network ||
    mark?.startsWith(networkMark(network)) === true;
  if (connection === undefined) return [...(await readLegacy(family)).values()].flat().filter(ofNetwork);
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const texts = [`name: "${network}"`, networkMark(network)];
  return rulesIn(connection, { family: tableFamily, table }, ofNetwork, texts);
}

/** Attempts to change x_tables, since other programs may write between our reading and our writing. */
const ATTEMPTS = 20;

/**
 * Reads the chain, and makes the changes of `plan` in one transaction. If another program was faster, it reads the
 * chain and calls `plan` again. Without changes there is no transaction. @throws CniError, NetlinkError
 */
export async function updateChain(table: NatTable, chain: string, plan: Plan): Promise<void> {
  const { family, connection } = table;
  if (connection !== undefined) return updateNft(connection, chain, [{ family, plan }]);
  const needed = async (): Promise<string[]> =>
    plan(await readChain(table, chain)).flatMap((change) => linesOf(chain, change));
  let lines = await needed();
  for (let attempt = 1; lines.length > 0; attempt++) {
    if (attempt > ATTEMPTS) {
      throw new CniError(
        code.tryAgainLater,
        `cannot change chain ${chain} of the nat table of ${nameOf(table)}: after ${ATTEMPTS} attempts the rules differ ` +
          "from those that were written; another program changes them at the same time, try again later",
      );
    }
    const written = lines;
    try {
      await (await legacy()).loadLines(family, written);
      lines = await needed();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      lines = await needed();
      // The child fails if another program has already made a change; then other lines are needed now.
      if (`${lines}` === `${written}`) throw error;
    }
  }
}

/** The lines of a change for iptables-restore. A jump with an attachment is followed by its marker rule. */
export function linesOf(own: string, change: Change): string[] {
  switch (change.action) {
    case "add chain":
      return [`:${own} - [0:0]`];
    case "delete chain":
      return [`-F ${own}`, `-X ${own}`];
    case "delete": {
      const { chain, rule } = change.rule;
      return rule === undefined ? [] : [`-D ${chain} ${ruleText(rule)}`];
    }
    default: {
      const { action, chain, rule, attachment } = change;
      const line = `${action === "insert" ? "-I" : "-A"} ${chain} ${ruleText(rule)}`;
      if (attachment === undefined || rule.source === undefined) return [line];
      return [line, `-A ${own} ${ruleText(marker(attachment, rule.source))}`];
    }
  }
}
