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
import { type ChainState, type Change, type FoundJump, POSTROUTING } from "../iptables/chain-state.ts";
import {
  type AddressMatch,
  doesSame,
  exactly,
  type FoundRule,
  isSame,
  MULTICAST,
  outside,
  type Rule,
  ruleText,
  within,
} from "../rule.ts";

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
    accepts.push({ destination: within(networkOf(prefix)), comment, verdict: "accept" });
    jumps.push({ source: exactly(prefix.address), comment, verdict: "jump", target });
  }
  const masquerade: Rule = { destination: outside(MULTICAST[family]), comment, verdict: "masquerade" };
  return { accepts: unique(accepts), masquerade, jumps: unique(jumps) };
}

const unique = (rules: readonly Rule[]): readonly Rule[] =>
  rules.length < 2 ? rules : [...new Map(rules.map((rule) => [ruleText(rule), rule])).values()];

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
export function planSetUp(
  state: ChainState | undefined,
  attachment: Attachment,
  family: Family,
  addresses: readonly Prefix[],
): Change[] {
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  const chain = iptablesChain(attachment);
  const addJump = (rule: Rule): Change => ({ action: "append", chain: POSTROUTING, rule, attachment });
  if (state === undefined) {
    const changes: Change[] = [{ action: "add chain" }];
    for (const rule of accepts) changes.push({ action: "append", chain, rule });
    changes.push({ action: "append", chain, rule: masquerade });
    for (const rule of jumps) changes.push(addJump(rule));
    return changes;
  }
  // An "accept" behind the masquerading is never reached: it counts as missing.
  const effective = effectiveRules(state, masquerade);
  const missing = accepts.filter((accept) => !effective.some(({ rule }) => isSame(rule, accept)));
  const masquerades = state.rules.some(({ rule }) => isSame(rule, masquerade));
  const mark = attachmentMark(attachment);
  const own = state.jumps.filter((jump) => jump.mark === mark);
  // Of two equal rules one is enough; and one that names no attachment gets the mark of this one.
  const kept = jumps.flatMap((rule) => own.find((jump) => isSame(jump.rule, rule)) ?? []);
  const stale = state.jumps.filter(
    (jump) =>
      !kept.includes(jump) &&
      (jump.mark === mark || (jump.mark === undefined && jumps.some((rule) => isSame(jump.rule, rule)))),
  );
  return [
    ...missing.map((rule): Change => ({ action: "insert", chain, rule })),
    ...(masquerades ? [] : [{ action: "append", chain, rule: masquerade } as const]),
    ...jumps.filter((rule) => !kept.some((jump) => isSame(jump.rule, rule))).map(addJump),
    ...deletionsOf(stale),
  ];
}

/**
 * Changes that remove an attachment's rules, and the chain with its last user. Rules that name no attachment (the
 * reference writes such) are taken for this one's when they name its container and it has no others.
 */
export function planTearDown(state: ChainState | undefined, attachment: Attachment): Change[] {
  if (state === undefined) return [];
  const comment = iptablesComment(attachment);
  const mark = attachmentMark(attachment);
  const marked = state.jumps.filter((jump) => jump.mark === mark);
  const unmarked = state.jumps.filter((jump) => jump.mark === undefined && jump.rule?.comment === comment);
  const notes = state.idleNotes.filter((idle) => idle.mark === mark);
  return planRemoval(state, marked.length > 0 ? marked : unmarked, comment, notes);
}

/**
 * Changes that remove what attachments of the network have in the chain that are not valid.
 * @param living marks of the valid attachments of the chain's container in this network
 */
export function planCollection(
  state: ChainState | undefined,
  network: string,
  living: ReadonlySet<string>,
): Change[] {
  if (state === undefined) return [];
  const ofNetwork = ({ mark, rule }: FoundRule): boolean =>
    mark === undefined
      ? parseIptablesComment(rule?.comment)?.network === network
      : mark.startsWith(networkMark(network));
  const isStale = (rule: FoundRule): boolean =>
    ofNetwork(rule) && (rule.mark === undefined ? living.size === 0 : !living.has(rule.mark));
  const jumps = state.jumps.filter(isStale);
  if (jumps.length === 0 && living.size > 0) return [];
  // A network has one container in the chain, so that all of its rules have one comment.
  const [first] = [...jumps, ...state.rules.filter(isStale)];
  const comment = first?.rule?.comment;
  const { containerId } = parseIptablesComment(comment) ?? {};
  const isMasquerading =
    containerId === undefined
      ? /^CNI-[0-9a-f]{24}$/.test(state.chain)
      : iptablesChain({ network, containerId }) === state.chain;
  if (comment === undefined || !isMasquerading) return [];
  return planRemoval(state, jumps, comment, state.idleNotes.filter(isStale));
}

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
  if (remaining.length === 0 && !state.rules.some(isOfOther))
    return [...deletionsOf(removed), { action: "delete chain" }];
  const ofContainer = ({ rule }: FoundRule): boolean => rule?.comment === comment;
  const staying = remaining.filter(ofContainer);
  const holds = (subnet: AddressMatch | undefined, jumps: readonly FoundJump[]): boolean =>
    jumps.some(({ rule }) => subnet && rule?.source && contains(subnet.prefix, rule.source.prefix.address));
  const isIdle = ({ rule }: FoundRule): boolean =>
    staying.length === 0 ||
    (rule?.verdict === "accept" && holds(rule.destination, removed) && !holds(rule.destination, staying));
  const idle = state.rules.filter((rule) => ofContainer(rule) && isIdle(rule));
  return deletionsOf([...removed, ...idle, ...notes]);
}

/** A jump goes with its note. */
const deletionsOf = (rules: readonly FoundJump[]): Change[] =>
  rules
    .flatMap((rule) => (rule.note === undefined ? [rule] : [rule, rule.note]))
    .map((rule) => ({ action: "delete", rule }));
