/** Plans the removal of rules, of bridges' rules, and of empty chains (rules F30, F33). */
import type { Attachment } from "../../cni/attachment.ts";
import { type IpAddress, sameIp } from "../../net/ip.ts";
import { attachmentMark } from "../attachment-names.ts";
import type { Change } from "../iptables/change.ts";
import { type FoundRule, isSame } from "../rule.ts";
import {
  ADMIN_COMMENT,
  addressOf,
  bridgeOf,
  CNI_FORWARD,
  FORWARD,
  parseRecord,
  STAGE_1,
  STAGE_2,
  STAGE_END,
} from "./layout.ts";
import { type Bridges, deletion, hasUnrecorded, type IsRemoved, ingressChanges, mayBeOn } from "./plan.ts";
import { type FilterState, rulesOf } from "./state.ts";

/**
 * The rules of an attachment: those with its mark, and of the others without an owner those about `addresses`, which
 * previous result and leases say are the attachment's (F30).
 */
export function rulesOfAttachment(attachment: Attachment, addresses: readonly IpAddress[]): IsRemoved {
  const own = attachmentMark(attachment);
  return (found) => {
    const address = addressOf(found);
    if (found.mark !== undefined) return found.mark === own;
    return address !== undefined && addresses.some((each) => sameIp(each, address));
  };
}

/**
 * Changes that remove rules of containers, the rules of bridges that no container uses any more or that are gone, and with
 * the last rule the chains that this program created (F33).
 * @param bridge the bridge of the attachment, if the previous result names it
 */
export function planRemoval(
  state: FilterState,
  isRemoved: IsRemoved,
  bridges: Bridges,
  bridge?: string,
): Change[] {
  const all = rulesOf(state, CNI_FORWARD);
  const removed = all.filter((found) => addressOf(found) !== undefined && isRemoved(found));
  const remaining = all.filter((found) => !removed.includes(found));
  const left = new Set([...removed.flatMap(({ ingress }) => parseRecord(ingress)?.bridge ?? []), bridge]);
  const changes: Change[] = removed.map(deletion);
  const unused = new Set<string>();
  for (const found of [...rulesOf(state, STAGE_1), ...rulesOf(state, STAGE_2)]) {
    const name = bridgeOf(found);
    if (name === undefined || unused.has(name)) continue;
    const isUsed = (): boolean =>
      remaining.some(({ ingress }) => parseRecord(ingress)?.bridge === name) ||
      hasUnrecorded(state, name, bridges, isRemoved);
    const isLeft = left.has(name) || removed.some((found) => mayBeOn(name, found, bridges));
    if (!bridges.exists(name) || (isLeft && !isUsed())) unused.add(name);
  }
  for (const name of unused)
    for (const change of ingressChanges(state, { policy: "open", bridge: name })) changes.push(change);
  return [...changes, ...emptyChains(state, changes)];
}

/** Deletes the chains of the layout that `changes` leave empty, and the rules that lead there. */
function emptyChains(state: FilterState, changes: readonly Change[]): Change[] {
  const goes = new Set(changes.flatMap((change) => (change.action === "delete" ? change.rule : [])));
  const more: Change[] = [];
  const remaining = (chain: string): FoundRule[] => rulesOf(state, chain).filter((rule) => !goes.has(rule));
  /** How many rules a chain has beside those of the layout that `isShared` selects. */
  const others = (chain: string, isShared: (rule: FoundRule) => boolean): number => {
    const { rules = [], size = 0 } = state.chains.get(chain) ?? {};
    return size - rules.filter((rule) => goes.has(rule) || isShared(rule)).length;
  };
  const isEnd = ({ rule }: FoundRule): boolean => isSame(rule, STAGE_END);
  const isOwn = (chain: string): boolean => state.chains.get(chain)?.isOwn === true;
  const drop = (rules: readonly FoundRule[]): void => {
    for (const rule of rules) {
      goes.add(rule);
      more.push(deletion(rule));
    }
  };
  const stages = [STAGE_1, STAGE_2].filter((chain) => state.chains.has(chain));
  if (stages.length > 0 && stages.every((chain) => isOwn(chain) && others(chain, isEnd) === 0)) {
    drop(remaining(FORWARD).filter(({ target }) => target === STAGE_1));
    for (const chain of stages) more.push({ action: "delete chain", chain });
  }
  const isAdmin = ({ rule }: FoundRule): boolean => rule?.comment === ADMIN_COMMENT;
  if (!isOwn(CNI_FORWARD) || others(CNI_FORWARD, isAdmin) > 0) return more;
  const admins = state.adminChains.filter((chain) => state.chains.has(chain));
  // The administrator's rules stay in force.
  if (admins.some((chain) => (state.chains.get(chain)?.size ?? 0) > 0)) return more;
  drop(remaining(FORWARD).filter(({ target }) => target === CNI_FORWARD));
  more.push({ action: "delete chain", chain: CNI_FORWARD });
  for (const chain of admins) if (isOwn(chain)) more.push({ action: "delete chain", chain });
  return more;
}
