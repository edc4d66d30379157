/** Rules of nf_tables that are there. */
import type { Connection } from "../../netlink/connection.ts";
import type { Message } from "../../netlink/message.ts";
import type { ChainName } from "../../netlink/nftables/chain.ts";
import { decodeRule, dumpRules, getRule, type RuleHandle } from "../../netlink/nftables/rule.ts";
import type { TableName } from "../../netlink/nftables/table.ts";
import { commentOf, textOf } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, markOf, parseIptablesComment } from "../attachment-names.ts";
import type { FoundRule } from "../rule.ts";
import { datumType } from "./base-chains.ts";
import { readRule } from "./expressions.ts";
import { ask, dump } from "./kernel.ts";

/** A rule of nf_tables as it was found. */
export type NftRule = FoundRule & RuleHandle;

const latin1 = new TextDecoder("latin1");

/**
 * The rules of a chain or table in their order, none when it is not there; or those wanted of them.
 * @param texts one of which a rule's message must hold: cheaper than decoding thousands of rules. @throws NetlinkError
 */
export const rulesIn = (
  connection: Connection,
  where: TableName & { readonly chain?: string },
  isWanted: (rule: NftRule) => boolean = () => true,
  texts: readonly string[] = [],
): NftRule[] =>
  dump(connection, dumpRules(where), (message) => {
    if (texts.length > 0) {
      const bytes = latin1.decode(message.payload);
      if (!texts.some((text) => bytes.includes(text))) return undefined;
    }
    const rule = foundRule(message);
    return isWanted(rule) ? rule : undefined;
  });

/** The rules with these handles that are there, asked for at once. @throws NetlinkError */
export const rulesByHandle = (
  connection: Connection,
  chain: ChainName,
  handles: readonly bigint[],
): NftRule[] =>
  ask(
    connection,
    handles.map((handle) => getRule({ ...chain, handle })),
  ).flatMap((reply) => (reply === undefined ? [] : foundRule(reply)));

/** The most rules that are asked for one by one; more are looked for in the whole list. */
const MOST_GUESSES = 16;

/**
 * The rules of a base chain that lead to a chain; the kernel counts them in the chain's `use`. Those that came in one
 * transaction with the chain are asked for by number, from `first` on (0: not known). Only if that does not find all (another program
 * wrote them, or they came later) is the whole list read.
 */
export function jumpsTo(
  connection: Connection,
  base: ChainName,
  chain: string,
  count: number,
  first: bigint,
): NftRule[] {
  if (count <= 0) return [];
  const leads = ({ target }: NftRule): boolean => target === chain;
  if (first > 0n && count <= MOST_GUESSES) {
    const handles = Array.from({ length: count }, (_, index) => first + BigInt(index));
    const found = rulesByHandle(connection, base, handles).filter(leads);
    if (found.length === count) return found;
  }
  return rulesIn(connection, base, leads, [chain]);
}

function foundRule(message: Message): NftRule {
  const { family, table, chain, handle, expressions, userData } = decodeRule(message);
  const { rule, isWhole } = readRule(expressions, family);
  const comment = commentOf(userData);
  const last = expressions.at(-1);
  let mark = textOf(userData, datumType.attachment);
  const ifname = textOf(userData, datumType.interface);
  if (family === "inet") mark = markOf(comment ?? "");
  else if (mark === undefined && ifname !== undefined) {
    const { network, containerId } = parseIptablesComment(rule.comment) ?? {};
    if (network !== undefined && containerId !== undefined)
      mark = attachmentMark({ network, containerId, ifname });
  }
  return {
    family,
    table,
    chain,
    handle,
    rule: isWhole ? rule : undefined,
    target: rule.target,
    input: rule.input,
    watches: last?.name === "counter" || (last?.name === "unknown" && last.kind === "log"),
    mark,
    comment,
  };
}
