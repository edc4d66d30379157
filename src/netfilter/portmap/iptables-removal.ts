/** Plans the removal of published ports from the nat table of iptables (rules M22, M44). */
import type { IpAddress } from "../../net/ip.ts";
import { attachmentMark, parseMarker, portComment } from "../attachment-names.ts";
import type { Change } from "../iptables/change.ts";
import type { FoundRule, Rule } from "../rule.ts";
import { isSharedRule, SHARED } from "./iptables-layout.ts";

/** What was read of a nat table. Chains that do not exist are missing. */
export interface NatState {
  readonly chains: ReadonlyMap<string, readonly FoundRule[]>;
  /** Whether POSTROUTING leads to the chain that masquerades; it may be too long to be read. */
  readonly isMasquerading: boolean;
}

/** The rules of a chain; none if it does not exist. */
export const rulesOf = ({ chains }: NatState, chain: string): readonly FoundRule[] => chains.get(chain) ?? [];

/** Which rules of a container's chain, and of those that lead there, a call is about. */
export interface Owned {
  /** The mark of the one attachment that it is about. */
  readonly own?: string;
  readonly mark: (mark: string) => boolean;
  /** Whether rules without a mark are, by the comment of the rules that lead there. */
  readonly comment: (comment: string) => boolean;
  /** Whether those that lead to this address are, if the comment says so. */
  readonly address: (address: IpAddress) => boolean;
}

/** A translation of a container's chain, with the rules before it that mark its packets. */
interface Group {
  readonly rules: readonly FoundRule[];
  readonly dnat: Rule | undefined;
  readonly mark: string | undefined;
}

const protocolPort = (rule: Rule | undefined): string => `${rule?.protocol} ${rule?.port}`;

/** The groups of a chain. Marker rules tell of those that have no mark of their own (iptables-legacy). */
function groupsOf(rules: readonly FoundRule[]): { groups: Group[]; markers: FoundRule[] } {
  const groups: Group[] = [];
  const markers: FoundRule[] = [];
  const markOfAddress = new Map<bigint, string>();
  let pending: FoundRule[] = [];
  for (const found of rules) {
    const { rule, part = rule, mark } = found;
    const marker = rule?.verdict === "continue" ? parseMarker(rule.comment) : undefined;
    if (marker !== undefined) {
      markers.push({ ...found, mark: marker.mark });
      const address = rule?.destination?.prefix.address.value;
      if (address !== undefined) markOfAddress.set(address, marker.mark);
      continue;
    }
    pending.push(found);
    if (part?.verdict !== "dnat" || part.to === undefined) continue;
    groups.push({ rules: pending, dnat: part, mark });
    pending = [];
  }
  if (pending.length > 0) groups.push({ rules: pending, dnat: undefined, mark: pending[0]?.mark });
  return {
    groups: groups.map((group) => ({
      ...group,
      mark: group.mark ?? markOfAddress.get(group.dnat?.to?.address.value ?? -1n),
    })),
    markers,
  };
}

/** The changes that remove what is owned from a container's chain and from the rules that lead there. */
export function removal(
  state: NatState,
  chain: string,
  owned: Owned,
): { changes: Change[]; isEmpty: boolean; removed: Rule[] } {
  const entries = rulesOf(state, SHARED.entry).filter(({ target }) => target === chain);
  const all = rulesOf(state, chain);
  // Usually nothing else is there, and most rules need not be decoded.
  if ([...all, ...entries].every(({ mark }) => mark !== undefined && owned.mark(mark)))
    return {
      changes: [...entries, ...all].map((rule) => ({ action: "delete", rule })),
      isEmpty: true,
      removed: all.flatMap((rule) => (rule.mayBeUdp !== false && rule.part?.to ? rule.part : [])),
    };
  const { groups, markers } = groupsOf(all);
  // Another container can have the same chain, since the names in its digest have no separator.
  const others = entries.filter(
    ({ mark, part }) => mark === undefined && part?.comment !== undefined && !owned.comment(part.comment),
  );
  const isOthers = ({ dnat }: Group): boolean =>
    others.some(
      ({ part }) => part?.protocol === dnat?.protocol && part?.ports?.includes(dnat?.port ?? 0) === true,
    );
  const isOwned = (group: Group): boolean => {
    if (group.mark !== undefined) return owned.mark(group.mark);
    const address = group.dnat?.to?.address;
    return !isOthers(group) && (address === undefined || owned.address(address));
  };
  const gone = groups.filter(isOwned);
  const staying = groups.filter((group) => !isOwned(group));
  const used = new Set(staying.flatMap(({ dnat }) => (dnat === undefined ? [] : protocolPort(dnat))));
  const isIdle = ({ mark, part, rule = part }: FoundRule): boolean =>
    mark !== undefined
      ? owned.mark(mark)
      : !(rule?.comment !== undefined && !owned.comment(rule.comment)) &&
        !(rule?.ports ?? []).some((port) => used.has(protocolPort({ ...rule, port } as Rule)));
  const deleted = [
    ...entries.filter(isIdle),
    ...gone.flatMap(({ rules }) => rules),
    ...markers.filter(({ mark = "" }) => owned.mark(mark)),
  ];
  return {
    changes: deleted.map((rule) => ({ action: "delete", rule })),
    isEmpty: staying.length === 0 && entries.every(isIdle),
    removed: gone.flatMap(({ dnat }) => dnat ?? []),
  };
}

/** The rules of one attachment. `isOwn` decides about addresses in rules that do not tell of their attachment. */
export const ownedBy = (
  attachment: Parameters<typeof attachmentMark>[0],
  isOwn: (address: IpAddress) => boolean,
): Owned => {
  const own = attachmentMark(attachment);
  const ownComment = portComment(attachment);
  return { own, mark: (mark) => mark === own, comment: (each) => each === ownComment, address: isOwn };
};

/** What a plan does. */
export interface Planned {
  readonly changes: Change[];
  /** The translations that end with it, but perhaps only those of UDP. */
  readonly removed: readonly Rule[];
}

/** Removes what is owned from the container's chains. A chain without any other rules is deleted. */
export function planTearDown(state: NatState, chain: string, owned: Owned): Planned {
  const old = chain.replace("CNI-DN-", "CNI-SN-");
  const changes: Change[] = [];
  let removed: readonly Rule[] = [];
  if (state.chains.has(chain)) {
    const found = removal(state, chain, owned);
    for (const change of found.changes) if (!found.isEmpty || !isIn(change, chain)) changes.push(change);
    if (found.isEmpty) changes.push({ action: "delete chain", chain });
    removed = found.removed;
  }
  if (state.chains.has(old)) {
    for (const rule of rulesOf(state, SHARED.oldEntry))
      if (rule.target === old) changes.push({ action: "delete", rule });
    changes.push({ action: "delete chain", chain: old });
  }
  return { changes, removed };
}

const isIn = (change: Change, chain: string): boolean =>
  change.action === "delete" && change.rule.chain === chain;

/**
 * The removal of the chains that all attachments share and of what leads there, if no container's rule is left after `changes`
 * (P13). x_tables does not tell which program has made a chain, so it goes only if nothing but the rules of the layout is in it
 * and leads there: every program of the layout makes what it misses.
 */
export function planIdle({ chains }: NatState, changes: readonly Change[]): Change[] {
  const goes = new Set(changes.flatMap((change) => (change.action === "delete" ? change.rule : [])));
  const gone = changes.flatMap((change) => (change.action === "delete chain" ? change.chain : []));
  const shared = [SHARED.entry, SHARED.setMark, SHARED.masquerade].filter((chain) => chains.has(chain));
  const leading: FoundRule[] = [];
  for (const [chain, rules] of chains) {
    if (gone.includes(chain)) continue;
    const isShared = shared.some((name) => name === chain);
    for (const found of rules) {
      const leads = shared.some((name) => name === found.target);
      if (goes.has(found) || !(isShared || leads)) continue;
      if (!isSharedRule(chain, found.rule)) return [];
      if (leads) leading.push(found);
    }
  }
  return [
    ...leading.map((rule): Change => ({ action: "delete", rule })),
    ...shared.map((chain): Change => ({ action: "delete chain", chain })),
  ];
}
