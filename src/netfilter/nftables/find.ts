/** Finds an attachment's rules in the masquerade table (G5), and what is wrong with the way to them (G17). */
import type { Attachment } from "../../cni/attachment.ts";
import { formatPrefix, samePrefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeChain, getChain } from "../../netlink/nftables/chain.ts";
import { decodeRule, getRule, type Rule, type RuleHandle } from "../../netlink/nftables/rule.ts";
import { decodeSet, getSet } from "../../netlink/nftables/set.ts";
import { commentOf } from "../../netlink/nftables/userdata.ts";
import { MULTICAST } from "../address-rule.ts";
import { attachmentMark } from "../attachment-names.ts";
import { leadsTo, readAddressRule } from "../expressions.ts";
import { ask, rulesHolding } from "../kernel.ts";
import { CHECKS, RULE_BEHIND_SET, setName } from "./layout.ts";

/** A rule of `masq_checks`. */
export type FoundRule = Rule & RuleHandle;

/** Most attachments have one address or two: so many sets are asked for at once. */
const AT_ONCE = 2;

/** Whether the rule's comment begins with the mark of an attachment or a network. */
const belongsTo = (rule: Rule, mark: string): boolean => commentOf(rule.userData)?.startsWith(mark) ?? false;

/** The rules whose comments begin with the mark of an attachment or a network, whoever has written them. */
export const rulesMarked = (
  connection: Connection,
  mark: string,
  isWanted: (rule: Rule) => boolean = () => true,
): FoundRule[] => rulesHolding(connection, CHECKS, mark, (rule) => belongsTo(rule, mark) && isWanted(rule));

/** The attachment's rules that can be found by their sets' names: at once, however many rules there are. */
export function rulesByName(connection: Connection, attachment: Attachment): FoundRule[] {
  const handles: bigint[] = [];
  for (let from = 0; ; from += AT_ONCE) {
    const questions = Array.from({ length: AT_ONCE }, (_, index) =>
      getSet(setName(attachment, from + index)),
    );
    const sets = ask(connection, questions).flatMap((replies) => replies.map((reply) => decodeSet(reply)));
    handles.push(...sets.flatMap(({ handle }) => handle ?? []));
    if (sets.length < AT_ONCE) break;
  }
  const questions = handles.map((handle) => getRule({ ...CHECKS, handle: handle + RULE_BEHIND_SET }));
  return ask(connection, questions)
    .flatMap((replies) => replies.map((reply) => decodeRule(reply)))
    .filter((rule) => belongsTo(rule, attachmentMark(attachment)));
}

/**
 * The attachment's rules: by name, or else, if there are rules at all, by their comments. The reference writes rules
 * without a named set; and the names are lost when someone loads a saved rule set.
 */
export function rulesOf(connection: Connection, attachment: Attachment): FoundRule[] {
  const named = rulesByName(connection, attachment);
  if (named.length > 0) return named;
  const [chain] = ask(connection, [getChain(CHECKS)]).flat();
  // The chain's use counts its rules and the rule of postrouting that leads here.
  if (chain === undefined || (decodeChain(chain).use ?? 0) <= 1) return [];
  return rulesMarked(connection, attachmentMark(attachment));
}

/** What the rules of postrouting lack, in words; undefined when packets reach the attachments' rules. */
export function postroutingDamage(rules: readonly FoundRule[]): string | undefined {
  const at = rules.findIndex((rule) => leadsTo(rule, CHECKS.chain));
  if (at < 0) return `lacks the rule "goto ${CHECKS.chain}"`;
  const before = rules.slice(0, at).map(({ expressions }) => readAddressRule(expressions, undefined));
  for (const family of [4, 6] as const) {
    const spared = before.some(
      (rule) =>
        rule?.action === "return" &&
        rule.source === undefined &&
        rule.destination?.inverted === false &&
        samePrefix(rule.destination.prefix, MULTICAST[family]),
    );
    if (!spared) return `lacks the rule that spares multicast to ${formatPrefix(MULTICAST[family])}`;
  }
  return undefined;
}
