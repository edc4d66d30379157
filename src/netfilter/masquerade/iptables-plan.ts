/** What to change in the nat table (rules B28, G1, G5, G16). Pure: from the state to changes. */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import { contains, networkOf, type Prefix } from "../../net/prefix.ts";
import {
  attachmentMark,
  iptablesChain,
  iptablesComment,
  networkMark,
  parseIptablesComment,
} from "../attachment-names.ts";
import type { ChainState, Change, FoundJump, Plan } from "../iptables/chain-state.ts";
import { doesSame, exactly, type FoundRule, isSame, MULTICAST, type Rule, ruleText } from "../rule.ts";

/** The rules that an attachment needs, in the order in which the first ADD writes them. */
export interface Layout {
  /** One for each subnet of its addresses: what stays inside is not masqueraded. */
  readonly accepts: readonly Rule[];
  readonly masquerade: Rule;
  /** One for each address: in POSTROUTING. */
  readonly jumps: readonly Rule[];
}

/** The rules for `addresses`, which are of one family and keep their host bits. */
export function layoutOf(attachment: Attachment, family: Family, addresses: readonly Prefix[]): Layout {
  const comment = iptablesComment(attachment);
  const target = iptablesChain(attachment);
  const accepts: Rule[] = [];
  const jumps: Rule[] = [];
  for (const prefix of addresses) {
    accepts.push({ destination: { prefix: networkOf(prefix), inverted: false }, comment, verdict: "accept" });
    jumps.push({ source: exactly(prefix.address), comment, verdict: "jump", target });
  }
  const notMulticast = { prefix: MULTICAST[family], inverted: true };
  const masquerade: Rule = { destination: notMulticast, comment, verdict: "masquerade" };
  return { accepts: unique(accepts), masquerade, jumps: unique(jumps) };
}

function unique(rules: readonly Rule[]): readonly Rule[] {
  return rules.length < 2 ? rules : [...new Map(rules.map((rule) => [ruleText(rule), rule])).values()];
}

/** The rules of the chain that packets come to: those before the first that masquerades, whosever that is. */
export function effectiveRules({ rules }: ChainState, masquerade: Rule): readonly FoundRule[] {
  const end = rules.findIndex(({ rule }) => doesSame(rule, masquerade));
  return end < 0 ? rules : rules.slice(0, end);
}

/**
 * Changes that make the table hold the rules of `addresses`, and no others of this attachment. What is there already,
 * from an ADD that was killed or from another interface of the container, is kept; and so is what another container
 * has in the chain.
 */
export function planSetUp(attachment: Attachment, family: Family, addresses: readonly Prefix[]): Plan {
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  const chain = iptablesChain(attachment);
  return (state) => {
    const changes: Change[] = [];
    if (state === undefined) {
      changes.push({ action: "add chain" });
      for (const rule of accepts) changes.push({ action: "append", chain, rule });
      changes.push({ action: "append", chain, rule: masquerade });
      for (const rule of jumps) changes.push({ action: "append", chain: "POSTROUTING", rule, attachment });
      return changes;
    }
    // An "accept" behind the masquerading is never reached: it counts as missing.
    const effective = effectiveRules(state, masquerade);
    for (const rule of accepts) if (!holds(effective, rule)) changes.push({ action: "insert", chain, rule });
    if (!holds(state.rules, masquerade)) changes.push({ action: "append", chain, rule: masquerade });
    const mark = attachmentMark(attachment);
    const own = state.jumps.filter((jump) => jump.mark === mark);
    const kept: FoundJump[] = [];
    for (const rule of jumps) {
      // Of two equal rules one is enough; and one that names no attachment gets the mark of this one.
      const found = own.find((jump) => isSame(jump.rule, rule));
      if (found !== undefined) kept.push(found);
      else changes.push({ action: "append", chain: "POSTROUTING", rule, attachment });
    }
    const isStale = (jump: FoundJump): boolean =>
      jump.mark === mark || (jump.mark === undefined && jumps.some((rule) => isSame(jump.rule, rule)));
    return [...changes, ...deletionsOf(state.jumps.filter((jump) => !kept.includes(jump) && isStale(jump)))];
  };
}

/** Whether one of the rules is this one. */
export const holds = (rules: readonly FoundRule[], wanted: Rule): boolean =>
  rules.some(({ rule }) => isSame(rule, wanted));

/**
 * Changes that remove an attachment's rules, and the chain with its last user. Rules that name no attachment (the
 * reference writes such) are taken for this one's when they name its container and it has no others.
 */
export const planTearDown =
  (attachment: Attachment): Plan =>
  (state) => {
    if (state === undefined) return [];
    const comment = iptablesComment(attachment);
    const mark = attachmentMark(attachment);
    const marked = state.jumps.filter((jump) => jump.mark === mark);
    const unmarked = state.jumps.filter((jump) => jump.mark === undefined && jump.rule?.comment === comment);
    const notes = state.idleNotes.filter((idle) => idle.mark === mark);
    return planRemoval(state, marked.length > 0 ? marked : unmarked, comment, notes);
  };

/**
 * Changes that remove what attachments of the network have in the chain that are not valid.
 * @param living marks of the valid attachments of the chain's container in this network
 */
export const planCollection =
  (network: string, living: ReadonlySet<string>): Plan =>
  (state) => {
    if (state === undefined) return [];
    const isStale = ({ mark, rule }: FoundRule): boolean =>
      mark === undefined
        ? living.size === 0 && parseIptablesComment(rule?.comment)?.network === network
        : mark.startsWith(networkMark(network)) && !living.has(mark);
    const jumps = state.jumps.filter(isStale);
    if (jumps.length === 0 && living.size > 0) return [];
    // A network has one container in the chain, so that all of its rules have one comment.
    const comment = [...jumps, ...state.rules.filter(isStale)][0]?.rule?.comment;
    const { containerId } = parseIptablesComment(comment) ?? {};
    const isMasquerading =
      containerId === undefined
        ? /^CNI-[0-9a-f]{24}$/.test(state.chain)
        : iptablesChain({ network, containerId }) === state.chain;
    if (comment === undefined || !isMasquerading) return [];
    return planRemoval(state, jumps, comment, state.idleNotes.filter(isStale));
  };

/** Changes that remove these jumps and notes of a container, and what is needed no more without them. */
function planRemoval(
  state: ChainState,
  removed: readonly FoundJump[],
  comment: string,
  notes: readonly FoundRule[],
): Change[] {
  const remaining = state.jumps.filter((jump) => !removed.includes(jump));
  const isOfOther = ({ rule }: FoundRule): boolean =>
    rule?.comment !== comment && parseIptablesComment(rule?.comment) !== undefined;
  if (remaining.length === 0 && !state.rules.some(isOfOther)) {
    return [...deletionsOf(removed), { action: "delete chain" }];
  }
  const staying = remaining.filter(({ rule }) => rule?.comment === comment);
  const isIn = (subnet: Prefix | undefined, jumps: readonly FoundJump[]): boolean =>
    jumps.some(({ rule }) => subnet && rule?.source && contains(subnet, rule.source.prefix.address));
  const idle = state.rules.filter(({ rule }) => {
    const subnet = rule?.verdict === "accept" ? rule.destination?.prefix : undefined;
    const isIdle = staying.length === 0 || (isIn(subnet, removed) && !isIn(subnet, staying));
    return rule?.comment === comment && isIdle;
  });
  return deletionsOf([...removed, ...idle, ...notes]);
}

/** A jump goes with its note. */
const deletionsOf = (rules: readonly FoundJump[]): Change[] =>
  rules
    .flatMap((rule) => (rule.note === undefined ? [rule] : [rule, rule.note]))
    .map((rule) => ({ action: "delete", rule }));
