/** What to change in the nat table (rule B28, G16). Pure: from the state to steps. */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import { contains, networkOf, type Prefix } from "../../net/prefix.ts";
import {
  type AddressMatch,
  type AddressRule,
  exactly,
  iptablesText,
  MULTICAST,
  outside,
  within,
} from "../address-rule.ts";
import { attachmentMark, iptablesChain, iptablesComment, parseIptablesComment } from "../attachment-names.ts";
import type { ChainState, Step, StoredJump, StoredRule } from "./state.ts";

/** The rules that an attachment needs, in the order in which the first ADD writes them. */
export interface Layout {
  /** One for each subnet of its addresses: what stays inside is not masqueraded. */
  readonly accepts: readonly AddressRule[];
  readonly masquerade: AddressRule;
  /** One for each address: in POSTROUTING. */
  readonly jumps: readonly AddressRule[];
}

/** The rules for `addresses`, which are of one family and keep their host bits. */
export function layoutOf(attachment: Attachment, family: Family, addresses: readonly Prefix[]): Layout {
  const comment = iptablesComment(attachment);
  const chain = iptablesChain(attachment);
  const accepts = addresses.map((prefix): AddressRule => {
    return { destination: within(networkOf(prefix)), comment, action: "accept" };
  });
  return {
    accepts: unique(accepts),
    masquerade: { destination: outside(MULTICAST[family]), comment, action: "masquerade" },
    jumps: unique(
      addresses.map(({ address }) => ({ source: exactly(address), comment, action: { jump: chain } })),
    ),
  };
}

const unique = (rules: readonly AddressRule[]): readonly AddressRule[] =>
  rules.length < 2 ? rules : [...new Map(rules.map((rule) => [iptablesText(rule), rule])).values()];

const same = (a: AddressRule | undefined, b: AddressRule): boolean =>
  a !== undefined && iptablesText(a) === iptablesText(b);

/** Whether two rules do the same, whosever they are. */
export const doTheSame = (a: AddressRule | undefined, b: AddressRule): boolean =>
  a !== undefined && withoutComment(a) === withoutComment(b);

const withoutComment = ({ comment: _, ...rule }: AddressRule): string => iptablesText(rule);

/** The rules of the chain that packets come to: those before the first that masquerades, whosever that is. */
export function effectiveRules({ rules }: ChainState, masquerade: AddressRule): ChainState["rules"] {
  const end = rules.findIndex(({ rule }) => doTheSame(rule, masquerade));
  return end < 0 ? rules : rules.slice(0, end);
}

/**
 * Steps that make the table hold the rules of `addresses`, and no others of this attachment. What is there already,
 * from an ADD that was killed or from another interface of the container, is kept; and so is what another container
 * has in the chain.
 */
export function planSetUp(
  state: ChainState | undefined,
  attachment: Attachment,
  family: Family,
  addresses: readonly Prefix[],
): Step[] {
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  const addJump = (rule: AddressRule): Step => ({ kind: "add jump", rule, attachment });
  if (state === undefined) {
    return [
      { kind: "add chain" },
      ...[...accepts, masquerade].map((rule): Step => ({ kind: "append", rule })),
      ...jumps.map(addJump),
    ];
  }
  // An "accept" behind the masquerading is never reached: it counts as missing.
  const effective = effectiveRules(state, masquerade);
  const missing = accepts.filter((accept) => !effective.some(({ rule }) => same(rule, accept)));
  const masquerades = state.rules.some(({ rule }) => same(rule, masquerade));
  const mark = attachmentMark(attachment);
  const own = state.jumps.filter((jump) => jump.mark === mark);
  // Of two equal rules one is enough; and one that names no attachment gets its attachment's mark.
  const kept = jumps.flatMap((rule) => own.find((jump) => same(jump.rule, rule)) ?? []);
  const stale = state.jumps.filter(
    (jump) =>
      !kept.includes(jump) &&
      (jump.mark === mark || (jump.mark === undefined && jumps.some((rule) => same(jump.rule, rule)))),
  );
  return [
    ...missing.map((rule): Step => ({ kind: "insert", rule })),
    ...(masquerades ? [] : [{ kind: "append", rule: masquerade } as const]),
    ...jumps.filter((rule) => !kept.some((jump) => same(jump.rule, rule))).map(addJump),
    ...stale.map((jump): Step => ({ kind: "delete jump", jump })),
  ];
}

/**
 * Steps that remove an attachment's rules, and the chain with its last user. Rules that name no attachment (the
 * reference writes such) are taken for this one's when they name its container and it has no others.
 */
export function planTearDown(state: ChainState | undefined, attachment: Attachment): Step[] {
  if (state === undefined) return [];
  const comment = iptablesComment(attachment);
  const mark = attachmentMark(attachment);
  const marked = state.jumps.filter((jump) => jump.mark === mark);
  const unmarked = state.jumps.filter((jump) => jump.mark === undefined && jump.rule?.comment === comment);
  const notes = state.idleNotes.filter((idle) => idle.mark === mark);
  return planRemoval(state, marked.length > 0 ? marked : unmarked, { comment, notes });
}

/** Steps that remove these jumps and notes of a container, and what is needed no more without them. */
export function planRemoval(
  state: ChainState,
  removed: readonly StoredJump[],
  { comment, notes }: { readonly comment: string; readonly notes: readonly StoredRule[] },
): Step[] {
  const deletions = removed.map((jump): Step => ({ kind: "delete jump", jump }));
  const remaining = state.jumps.filter((jump) => !removed.includes(jump));
  const ofOthers = ({ rule }: StoredRule): boolean =>
    rule?.comment !== comment && parseIptablesComment(rule?.comment) !== undefined;
  if (remaining.length === 0 && !state.rules.some(ofOthers)) return [...deletions, { kind: "delete chain" }];
  const ofContainer = ({ rule }: StoredRule): boolean => rule?.comment === comment;
  const staying = remaining.filter(ofContainer);
  const holds = (subnet: AddressMatch | undefined, jumps: readonly StoredJump[]): boolean =>
    jumps.some(({ rule }) => subnet && rule?.source && contains(subnet.prefix, rule.source.prefix.address));
  const isIdle = ({ rule }: StoredRule): boolean =>
    staying.length === 0 ||
    (rule?.action === "accept" && holds(rule.destination, removed) && !holds(rule.destination, staying));
  const idle = [...state.rules.filter(ofContainer).filter(isIdle), ...notes];
  return [...deletions, ...idle.map((rule): Step => ({ kind: "delete rule", rule }))];
}
