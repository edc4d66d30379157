/** Plans the set-up of published ports in the nat table of iptables (rules M10 to M14, M44, M45, M47). */
import type { Family, IpAddress } from "../../net/ip.ts";
import { text, type UserDatum } from "../../netlink/nftables/userdata.ts";
import {
  attachmentMark,
  markerComment,
  parseMarker,
  parsePortComment,
  portChain,
} from "../attachment-names.ts";
import type { Change } from "../iptables/change.ts";
import { datumType, madeHere } from "../nftables/base-chains.ts";
import { exactly, type FoundRule, isSame, type Rule } from "../rule.ts";
import { portText } from "./found-mappings.ts";
import { chainRules, entryRules, leadsAs, SHARED, sharedRules } from "./iptables-layout.ts";
import { type NatState, ownedBy, type Planned, planTearDown, removal, rulesOf } from "./iptables-removal.ts";
import {
  type Mapping,
  mappingsOf,
  ownerText,
  type Published,
  parseOwner,
  type Rival,
  takenFrom,
  takes,
} from "./published.ts";

/** Begins the name of each container's chain (portChain). */
const CONTAINER_CHAIN = "CNI-DN-";

const holds = (rules: readonly FoundRule[], wanted: Rule): boolean =>
  rules.some(({ rule }) => isSame(rule, wanted));

/**
 * The changes after which the table has the attachment's rules and no others of it (M45). What leads into the container's
 * chain comes first, so the newest mapping of a port wins (M47). x_tables (`isLegacy`) has no user data: there a marker rule in
 * the container's chain tells of the attachment (M44).
 */
export function planSetUp(state: NatState, published: Published, family: Family, isLegacy: boolean): Planned {
  const chain = portChain(published);
  const address = published.addresses[family]?.address;
  const changes: Change[] = [];
  const userData = isLegacy ? [] : userDataOf(published);
  const shared = sharedRules(published);
  for (const name of [SHARED.setMark, SHARED.masquerade, SHARED.entry]) {
    const isNeeded = name === SHARED.entry || shared.some((rule) => rule.chain === name);
    if (state.chains.has(name) || !isNeeded) continue;
    changes.push({ action: "add chain", chain: name, userData: [madeHere] });
  }
  for (const { chain: where, rule, isFirst } of shared) {
    const isThere = where === "POSTROUTING" ? state.isMasquerading : holds(rulesOf(state, where), rule);
    if (!isThere) changes.push({ action: isFirst ? "insert" : "append", chain: where, rule });
  }
  const owned = ownedBy(published, (each) => each.value === address?.value);
  const wanted = chainRules(published, family);
  const entries = entryRules(published);
  const present = state.chains.get(chain);
  const stale = present === undefined ? undefined : removal(state, chain, owned);
  if (isLegacy) for (const change of inherited(state, chain, published, address)) changes.push(change);
  if (isLegacy && stale !== undefined && isComplete(state, chain, wanted, entries, stale))
    return { changes, removed: [] };
  for (const change of stale?.changes ?? []) changes.push(change);
  if (present === undefined) changes.push({ action: "add chain", chain });
  if (isLegacy && address !== undefined)
    changes.push({
      action: "append",
      chain,
      rule: { destination: exactly(address), comment: markerComment(published), verdict: "continue" },
    });
  // In a chain that is not empty, the new rules are inserted one in front of the other.
  const isEmpty = stale?.isEmpty !== false;
  for (const rule of isEmpty ? wanted : wanted.toReversed())
    changes.push({ action: isEmpty ? "append" : "insert", chain, rule, userData });
  for (const rule of entries.toReversed())
    changes.push({ action: "insert", chain: SHARED.entry, rule, userData });
  return { changes, removed: stale?.removed ?? [] };
}

/**
 * M42, M47: the removal of what leads to the container's address by another attachment of the network. That one is dead, since
 * its address was given away; its DEL was lost. x_tables has no record of its namespace that would tell.
 */
function inherited(
  state: NatState,
  own: string,
  { network }: Published,
  address: IpAddress | undefined,
): Change[] {
  const isAddress = (each: IpAddress | undefined): boolean => each?.value === address?.value;
  const changes: Change[] = [];
  for (const [chain, rules] of state.chains) {
    const leads = rules.some(({ part }) => part?.to !== undefined && isAddress(part.to.address));
    if (chain === own || !chain.startsWith(CONTAINER_CHAIN) || !leads) continue;
    const entries = rulesOf(state, SHARED.entry).filter(({ target }) => target === chain);
    if (entries.some(({ part }) => parsePortComment(part?.comment)?.network !== network)) continue;
    const marks = rules.flatMap(({ rule }) =>
      isAddress(rule?.destination?.prefix.address) ? (parseMarker(rule?.comment)?.mark ?? []) : [],
    );
    const dead = { mark: (mark: string) => marks.includes(mark), comment: () => true, address: isAddress };
    for (const change of planTearDown(state, chain, dead).changes) changes.push(change);
  }
  return changes;
}

/** Whether exactly the wanted rules are there: then a plan for x_tables has reached its end. */
function isComplete(
  state: NatState,
  chain: string,
  wanted: readonly Rule[],
  entries: readonly Rule[],
  stale: ReturnType<typeof removal>,
): boolean {
  const own = stale.changes.flatMap((change) => (change.action === "delete" ? change.rule : []));
  const inChain = own.filter((rule) => rule.chain === chain && parseMarker(rule.rule?.comment) === undefined);
  const leading = own.filter((rule) => rule.chain === SHARED.entry);
  const same = (found: readonly FoundRule[], rules: readonly Rule[]): boolean =>
    found.length === rules.length && rules.every((rule, at) => isSame(found[at]?.rule, rule));
  const all = rulesOf(state, SHARED.entry);
  const earlier = all.slice(0, leading[0] === undefined ? 0 : all.indexOf(leading[0]));
  const isFirst = !earlier.some(({ part }) =>
    entries.some(
      (entry) =>
        entry.protocol === part?.protocol && entry.ports?.some((port) => part?.ports?.includes(port)),
    ),
  );
  // Conditions are not compared: only iptables can read their words.
  const isLeading =
    leading.length === entries.length && entries.every((entry, at) => leadsAs(leading[at], entry));
  return same(inChain, wanted) && isLeading && isFirst;
}

function userDataOf(published: Published): UserDatum[] {
  const mark = attachmentMark(published);
  // NFT_USERDATA_MAXLEN, less the types, lengths and NULs of both.
  const left = 256 - 6 - mark.length;
  return [text(datumType.attachment, mark), text(datumType.owner, ownerText(published, left))];
}

/** What takes packets of a mapping: the rule that leads into another attachment's chain, and the translation there. */
interface RivalEntry {
  readonly entry: FoundRule & { readonly owner?: string | undefined };
  readonly mapping: Mapping;
  readonly chain: string;
  readonly dnat: Rule;
}

/**
 * The chains of other attachments that take packets of the mappings (M47).
 * @param stateOf reads another attachment's chain; it is called once for each
 */
export function rivalEntries(
  state: NatState,
  published: Published,
  family: Family,
  stateOf: (chain: string) => NatState,
): RivalEntry[] {
  const own = portChain(published);
  const taken = takenFrom(mappingsOf(published, family), family);
  const translations = new Map<string, ReturnType<typeof translationsIn>>();
  const found: RivalEntry[] = [];
  for (const entry of rulesOf(state, SHARED.entry)) {
    const { target: chain, part } = entry;
    if (part === undefined || chain === own) continue;
    for (const mapping of taken(part)) {
      // A rule that another program wrote translates right there.
      if (chain === undefined) {
        if (part.verdict === "dnat") found.push({ entry, mapping, chain: SHARED.entry, dnat: part });
        continue;
      }
      const known = translations.get(chain) ?? translationsIn(rulesOf(stateOf(chain), chain), family);
      translations.set(chain, known);
      const dnat = known(mapping);
      if (dnat !== undefined) found.push({ entry, mapping, chain, dnat });
    }
  }
  return found;
}

/** Finds the translation of a chain that takes packets of a mapping. */
function translationsIn(rules: readonly FoundRule[], family: Family): (mapping: Mapping) => Rule | undefined {
  const dnats = rules.flatMap(({ part }) => (part?.verdict === "dnat" ? part : []));
  const byPort = Map.groupBy(dnats, ({ protocol, port }) => portText(protocol, port));
  return (mapping) =>
    byPort.get(portText(mapping.protocol, mapping.hostPort))?.find((dnat) => takes(dnat, mapping, family));
}

/** The other attachment of a rule that leads into its chain. */
export function rivalOf(entry: FoundRule & { readonly owner?: string | undefined }, mapping: Mapping): Rival {
  const { containerId, network } = parsePortComment(entry.part?.comment) ?? {};
  return { mapping, containerId, network, mark: entry.mark, record: parseOwner(entry.owner ?? "").record };
}
