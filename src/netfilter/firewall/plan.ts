import type { IpAddress } from "../../net/ip.ts";
import { attachmentMark, networkMark } from "../attachment-names.ts";
import type { Change } from "../iptables/change.ts";
import { madeHere } from "../nftables/base-chains.ts";
import { type FoundRule, isSame, type Rule } from "../rule.ts";
import {
  addressOf,
  addressRules,
  adminJump,
  bridgeOf,
  CNI_FORWARD,
  FORWARD,
  FORWARD_JUMP,
  type Ingress,
  type IngressPolicy,
  ingressDatum,
  ingressRules,
  parseRecord,
  STAGE_1,
  STAGE_2,
  STAGE_END,
  STAGE_JUMP,
  stricter,
  type Wanted,
  weaker,
} from "./layout.ts";
import { type FilterState, rulesOf } from "./state.ts";

/** What the plans need of the host beside its rules. */
export interface Bridges {
  /** Whether a bridge of that name exists. */
  exists(bridge: string): boolean;
  /** Whether an address may be of a container on the bridge: it is in one of the bridge's networks, or they are unknown. */
  mayHold(bridge: string, address: IpAddress): boolean;
}

type Deletion = { readonly action: "delete"; readonly rule: FoundRule };

/** The change that deletes a rule. */
export const deletion = (rule: FoundRule): Deletion => ({ action: "delete", rule });

/**
 * Changes after which the table has the rules of an attachment, and no others of it. `release` is called with the ports
 * that earlier ADDs of the network have isolated, if the bridge is not isolated any more.
 */
export function planSetUp(
  wanted: Wanted,
  state: FilterState,
  bridges: Bridges,
  release: (port: string) => void = () => {},
): Change[] {
  const { attachment, adminChain, acceptPublished, ingress } = wanted;
  const addresses = wanted.addresses.filter(({ address }) => address.family === state.family);
  if (addresses.length === 0) return [];
  const mark = attachmentMark(attachment);
  const policy = ingress === undefined ? "open" : effectivePolicy(wanted, state, bridges);
  const stages = policy === "open" ? [] : [STAGE_1, STAGE_2];
  const changes = chainChanges(state, [CNI_FORWARD, adminChain, ...stages]);
  for (const change of jumpChanges(state, policy !== "open")) changes.push(change);
  if (ingress !== undefined) {
    if (policy !== "isolated" && presentPolicy(state, ingress.bridge) === "isolated")
      for (const { ingress: record } of state.recorded()) {
        const { bridge, isolatedPort } = parseRecord(record) ?? {};
        if (bridge === ingress.bridge && isolatedPort !== undefined) release(isolatedPort);
      }
    for (const change of ingressChanges(state, { ...ingress, policy })) changes.push(change);
  }
  const forward = rulesOf(state, CNI_FORWARD);
  for (const change of sharedChanges(forward, CNI_FORWARD, adminJump(adminChain), "insert"))
    changes.push(change);

  const there = rulesOf(state, CNI_FORWARD).filter((found) => addressOf(found) !== undefined);
  const kept = new Set<FoundRule>();
  for (const { address } of addresses) {
    const { answer, published, source } = addressRules(address);
    const record = ingress === undefined || ingress.policy === "open" ? [] : [ingressDatum(ingress)];
    for (const rule of acceptPublished ? [answer, published, source] : [answer, source]) {
      const userData = rule === answer ? record : [];
      const found = there.find(
        (each) =>
          !kept.has(each) &&
          isSame(each.rule, rule) &&
          isOwn(each, mark, userData.length > 0 ? ingress : undefined),
      );
      if (found !== undefined) kept.add(found);
      else changes.push({ action: "append", chain: CNI_FORWARD, rule, attachment, userData });
      // Rules of the reference, or rules that lost their mark, are replaced by ours.
      for (const each of there) {
        if (each.mark === undefined && each !== found && isSame(each.rule, rule) && !kept.has(each)) {
          kept.add(each);
          changes.push(deletion(each));
        }
      }
    }
  }
  for (const each of there) if (each.mark === mark && !kept.has(each)) changes.push(deletion(each));
  return changes;
}

/** Whether a rule is the attachment's, with the record of its bridge. x_tables has no marks: there any equal rule counts. */
function isOwn({ mark, handle, ingress }: FoundRule, own: string, record: Ingress | undefined): boolean {
  if (handle === undefined) return true;
  const found = parseRecord(ingress);
  return mark === own && found?.bridge === record?.bridge && found?.policy === record?.policy;
}

/**
 * The policy that a bridge gets: the wanted one, or the present one if containers of other networks rely on it. A container
 * without a record, as the reference's, relies on the present policy only if this call wants none.
 */
function effectivePolicy(
  { attachment, ingress }: Wanted,
  state: FilterState,
  bridges: Bridges,
): IngressPolicy {
  if (ingress === undefined) return "open";
  const { bridge, policy } = ingress;
  const present = presentPolicy(state, bridge);
  if (stricter(policy, present) === policy) return policy;
  const own = networkMark(attachment.network);
  let others: IngressPolicy = "open";
  for (const found of state.recorded()) {
    const record = parseRecord(found.ingress);
    if (record?.bridge === bridge && found.mark?.startsWith(own) === false)
      others = stricter(others, record.policy);
  }
  if (policy === "open" && others === "open" && hasUnrecorded(state, bridge, bridges)) others = present;
  return stricter(policy, weaker(present, others));
}

/** The policy that a bridge's rules make. */
export function presentPolicy(state: FilterState, bridge: string): IngressPolicy {
  const rules = rulesOf(state, STAGE_1).filter((found) => bridgeOf(found) === bridge);
  if (rules.length === 0) return "open";
  return rules.some(({ rule }) => rule?.verdict === "drop") ? "isolated" : "same-bridge";
}

/** Adds chains that are missing. */
const chainChanges = (state: FilterState, names: readonly string[]): Change[] =>
  names.flatMap((chain) =>
    state.chains.has(chain) ? [] : { action: "add chain", chain, userData: [madeHere] },
  );

/** Leads packets into the layout: the isolation comes first (F9). */
function jumpChanges(state: FilterState, isIsolating: boolean): Change[] {
  const there = rulesOf(state, FORWARD);
  const changes = sharedChanges(there, FORWARD, FORWARD_JUMP, "insert");
  const hasStage = there.some(({ rule }) => isSame(rule, STAGE_JUMP));
  if (!isIsolating && !hasStage) return changes;
  const stage = there.findIndex(({ rule }) => isSame(rule, STAGE_JUMP));
  const forward = there.findIndex(({ rule }) => isSame(rule, FORWARD_JUMP));
  if (stage >= 0 && forward >= 0 && stage < forward)
    return [...changes, ...sharedChanges(there, FORWARD, STAGE_JUMP, "insert")];
  const wrong = there.filter(({ rule }) => isSame(rule, STAGE_JUMP)).map(deletion);
  return [...changes, ...wrong, { action: "insert", chain: FORWARD, rule: STAGE_JUMP }];
}

/** Makes that a rule for all containers exists once: the reference writes it several times if calls run in parallel. */
function sharedChanges(
  there: readonly FoundRule[],
  chain: string,
  rule: Rule,
  action: "append" | "insert",
): Change[] {
  const [first, ...more] = there.filter((found) => isSame(found.rule, rule));
  return first === undefined ? [{ action, chain, rule }] : more.map(deletion);
}

/** Gives a bridge the rules of its policy, and no others (F33). */
export function ingressChanges(state: FilterState, ingress: Ingress): Change[] {
  const wanted = ingressRules(ingress);
  const isNeeded = wanted.length > 0;
  const changes: Change[] = [];
  const kept = new Set<FoundRule>();
  const there = [...rulesOf(state, STAGE_1), ...rulesOf(state, STAGE_2)];
  const own = there.filter((found) => bridgeOf(found) === ingress.bridge);
  for (const { chain, rule } of wanted) {
    const found = own.find((each) => each.chain === chain && isSame(each.rule, rule));
    if (found !== undefined) kept.add(found);
    else changes.push({ action: "insert", chain, rule });
  }
  for (const each of own.filter((found) => !kept.has(found))) changes.push(deletion(each));
  if (isNeeded) {
    for (const chain of [STAGE_1, STAGE_2])
      for (const change of sharedChanges(rulesOf(state, chain), chain, STAGE_END, "append"))
        changes.push(change);
  }
  return changes;
}

/** Which rules of CNI-FORWARD a removal is about. */
export type IsRemoved = (found: FoundRule) => boolean;

/** Whether a container without a record, as the reference's, may be on a bridge. */
export function hasUnrecorded(
  state: FilterState,
  bridge: string,
  bridges: Bridges,
  isRemoved: IsRemoved = () => false,
): boolean {
  return state.unmarked().some((found) => !isRemoved(found) && mayBeOn(bridge, found, bridges));
}

/** Whether a rule is about a container without a record that may be on the bridge. */
export function mayBeOn(bridge: string, found: FoundRule, bridges: Bridges): boolean {
  const address = found.mark === undefined ? addressOf(found) : undefined;
  return address !== undefined && bridges.mayHold(bridge, address);
}
