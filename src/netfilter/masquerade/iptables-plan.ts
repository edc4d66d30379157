/** Plans changes of the nat table from its state (rules B28, G1, G5, G16). */
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
import type { ChainState, FoundJump, Plan } from "../iptables/chain-state.ts";
import type { Change } from "../iptables/change.ts";
import { doesSame, exactly, type FoundRule, isSame, MULTICAST, type Rule, ruleText } from "../rule.ts";

/** The rules that an attachment needs, in the order in which the first ADD writes them. */
export interface Layout {
  /** One for each subnet of its addresses: traffic inside the subnet is not masqueraded. */
  readonly accepts: readonly Rule[];
  readonly masquerade: Rule;
  /** One in POSTROUTING for each address. */
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

/** The rules of the chain that packets reach: those before the first masquerade rule of any container. */
export function effectiveRules({ rules }: ChainState, masquerade: Rule): readonly FoundRule[] {
  const end = rules.findIndex(({ rule }) => doesSame(rule, masquerade));
  return end < 0 ? rules : rules.slice(0, end);
}

/**
 * Changes after which the table has the rules of `addresses`, and no others of this attachment. Existing rules of a
 * killed ADD, of the container's other interfaces and of other containers in the chain are kept.
 */
export function planSetUp(attachment: Attachment, family: Family, addresses: readonly Prefix[]): Plan {
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  const chain = iptablesChain(attachment);
  return (state) => {
    const changes: Change[] = [];
    if (state === undefined) {
      changes.push({ action: "add chain", chain });
      for (const rule of accepts) changes.push({ action: "append", chain, rule });
      changes.push({ action: "append", chain, rule: masquerade });
      for (const rule of jumps) changes.push({ action: "append", chain: "POSTROUTING", rule, attachment });
      return changes;
    }
    // An accept rule after the masquerade rule is never reached, and so counts as missing.
    const effective = effectiveRules(state, masquerade);
    for (const rule of accepts) if (!holds(effective, rule)) changes.push({ action: "insert", chain, rule });
    if (!holds(state.rules, masquerade)) changes.push({ action: "append", chain, rule: masquerade });
    const mark = attachmentMark(attachment);
    const own = state.jumps.filter((jump) => jump.mark === mark);
    const kept: FoundJump[] = [];
    for (const rule of jumps) {
      // A duplicate, or an equal rule without a mark, is not kept: the latter is replaced by a rule with our mark.
      const found = own.find((jump) => isSame(jump.rule, rule));
      if (found !== undefined) kept.push(found);
      else changes.push({ action: "append", chain: "POSTROUTING", rule, attachment });
    }
    const isStale = (jump: FoundJump): boolean =>
      jump.mark === mark || (jump.mark === undefined && jumps.some((rule) => isSame(jump.rule, rule)));
    return [...changes, ...deletionsOf(state.jumps.filter((jump) => !kept.includes(jump) && isStale(jump)))];
  };
}

/** Whether the rules include this one. */
export const holds = (rules: readonly FoundRule[], wanted: Rule): boolean =>
  rules.some(({ rule }) => isSame(rule, wanted));

/**
 * Changes that remove an attachment's rules, and the chain with its last user. If no rule has the attachment's mark,
 * rules without a mark that name its container are removed: the reference writes such rules.
 */
export const planTearDown =
  (attachment: Attachment): Plan =>
  (state) => {
    if (state === undefined) return [];
    const comment = iptablesComment(attachment);
    const mark = attachmentMark(attachment);
    const marked = state.jumps.filter((jump) => jump.mark === mark);
    const unmarked = state.jumps.filter((jump) => jump.mark === undefined && jump.rule?.comment === comment);
    const markers = state.idleMarkers.filter((idle) => idle.mark === mark);
    return planRemoval(state, marked.length > 0 ? marked : unmarked, comment, markers);
  };

/**
 * Changes that remove from the chain the rules of the network's attachments that are not valid.
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
    // A network has only one container in the chain, so all of its rules have the same comment.
    const comment = [...jumps, ...state.rules.filter(isStale)][0]?.rule?.comment;
    const { containerId } = parseIptablesComment(comment) ?? {};
    const isMasquerading =
      containerId === undefined
        ? /^CNI-[0-9a-f]{24}$/.test(state.chain)
        : iptablesChain({ network, containerId }) === state.chain;
    if (comment === undefined || !isMasquerading) return [];
    return planRemoval(state, jumps, comment, state.idleMarkers.filter(isStale));
  };

/** Changes that remove these jumps and markers of a container, and the rules that are not needed without them. */
function planRemoval(
  state: ChainState,
  removed: readonly FoundJump[],
  comment: string,
  markers: readonly FoundRule[],
): Change[] {
  const remaining = state.jumps.filter((jump) => !removed.includes(jump));
  const isOfOther = ({ rule }: FoundRule): boolean =>
    rule?.comment !== comment && parseIptablesComment(rule?.comment) !== undefined;
  if (remaining.length === 0 && !state.rules.some(isOfOther)) {
    return [...deletionsOf(removed), { action: "delete chain", chain: state.chain }];
  }
  const staying = remaining.filter(({ rule }) => rule?.comment === comment);
  const isIn = (subnet: Prefix | undefined, jumps: readonly FoundJump[]): boolean =>
    jumps.some(({ rule }) => subnet && rule?.source && contains(subnet, rule.source.prefix.address));
  const idle = state.rules.filter(({ rule }) => {
    const subnet = rule?.verdict === "accept" ? rule.destination?.prefix : undefined;
    const isIdle = staying.length === 0 || (isIn(subnet, removed) && !isIn(subnet, staying));
    return rule?.comment === comment && isIdle;
  });
  return deletionsOf([...removed, ...idle, ...markers]);
}

/** A jump is deleted with its marker rule. */
const deletionsOf = (rules: readonly FoundJump[]): Change[] =>
  rules
    .flatMap((rule) => (rule.marker === undefined ? [rule] : [rule, rule.marker]))
    .map((rule) => ({ action: "delete", rule }));
