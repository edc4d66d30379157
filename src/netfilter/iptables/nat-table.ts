/** The nat table of one family, whichever variant of iptables keeps it. */
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { networkMark, parseIptablesComment, parseNote } from "../attachment-names.ts";
import { hasLegacyTable } from "../kernel.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { rulesIn } from "../nftables/found-rules.ts";
import { type FoundRule, ruleText } from "../rule.ts";
import { type ChainState, type Change, chainState, type NatTable, note, type Plan } from "./chain-state.ts";
import { readNft, updateNft } from "./nft-table.ts";

/** For errors: "iptables-nft", "ip6tables-legacy". */
export const nameOf = ({ family, connection }: NatTable): string =>
  `${family === 4 ? "iptables" : "ip6tables"}-${connection === undefined ? "legacy" : "nft"}`;

/** All tables that can hold rules, whatever the host's iptables is now: another one may have been before. */
export const allTables = (connection: Connection | undefined): NatTable[] =>
  FAMILIES.flatMap((family): NatTable[] => [
    ...(connection === undefined ? [] : [{ family, connection }]),
    ...(hasLegacyTable(family) ? [{ family, connection: undefined }] : []),
  ]);

const legacy = () => import("./legacy-table.ts");

/** Rules by chain. Where x_tables has no such table, asking it would make one. */
const readLegacy = async (family: Family): Promise<ReadonlyMap<string, readonly FoundRule[]>> =>
  hasLegacyTable(family) ? (await legacy()).readTable(family) : new Map();

/** The container's chain; undefined when there is none. @throws CniError, NetlinkError */
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
  const ofNetwork = ({ rule, mark = parseNote(rule?.comment)?.mark }: FoundRule): boolean =>
    parseIptablesComment(rule?.comment)?.network === network ||
    mark?.startsWith(networkMark(network)) === true;
  if (connection === undefined) return [...(await readLegacy(family)).values()].flat().filter(ofNetwork);
  const { family: tableFamily, table } = IPTABLES_POSTROUTING[family];
  const texts = [`name: "${network}"`, networkMark(network)];
  return rulesIn(connection, { family: tableFamily, table }, ofNetwork, texts);
}

/** Writes of x_tables: other programs may write between our look and our write. */
const ATTEMPTS = 20;

/**
 * Reads the chain, lets `plan` say what to do, and does it in one transaction. The state may be read, and `plan`
 * called, again when another program was faster. No changes, no transaction. @throws CniError, NetlinkError
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
        `cannot change chain ${chain} of the nat table of ${nameOf(table)}: after ${ATTEMPTS} attempts the rules are not ` +
          "those that were written; another program changes them at the same time, try again later",
      );
    }
    const written = lines;
    try {
      await (await legacy()).loadLines(family, written);
      lines = await needed();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      lines = await needed();
      // A change that another program has made already makes the child fail: then what is needed differs.
      if (`${lines}` === `${written}`) throw error;
    }
  }
}

/** What a change is to iptables-restore. A note follows its jump: the attachment has no other place. */
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
      return [line, `-A ${own} ${ruleText(note(attachment, rule.source))}`];
    }
  }
}
