/** Finds what is missing of the published ports of an attachment (M23, M47, M55, O14). It only reads. */
import { FAMILIES, type Family } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { portChain } from "../attachment-names.ts";
import { nameOf, type Place } from "../iptables/change.ts";
import { type Backend, hostTable } from "../iptables/host.ts";
import { hasLegacyTable, NO_NFTABLES, openNftables } from "../kernel.ts";
import { HOSTPORTS, isHooked, type OwnChain } from "../nftables/base-chains.ts";
import { type NftRule, rulesIn } from "../nftables/found-rules.ts";
import { exactly, type FoundRule, formatEndpoint, isSame, type Rule, ruleText } from "../rule.ts";
import { backendOf } from "./backend.ts";
import { byPort, isMapping, portText, textsOf } from "./found-mappings.ts";
import { missingGuard } from "./guard.ts";
import { routesLocalnet } from "./guard-lock.ts";
import { chainRules, entryRules, leadsAs, SHARED, sharedRules } from "./iptables-layout.ts";
import { rivalEntries, rivalOf } from "./iptables-plan.ts";
import { type NatState, rulesOf } from "./iptables-removal.ts";
import { readLegacy, readNft, readOwnNft } from "./iptables-state.ts";
import { chainsOf, ownedBy, ownRules } from "./nftables.ts";
import { entryRules as hostportEntries, mappingRule, masqueradeRules } from "./nftables-layout.ts";
import { mappingsAmong } from "./port-sieve.ts";
import {
  describeMapping,
  describeRival,
  type Mapping,
  mappingsOf,
  type Published,
  parseOwner,
  type Rival,
  takenFrom,
  takes,
} from "./published.ts";

/** A port that leads to another attachment, because its rules come first. */
export interface Taken extends Pick<Rival, "containerId" | "network"> {
  /** The port, and where it leads. */
  readonly words: string;
}

/** What is missing or altered, in words, and what others have taken. */
export interface Losses {
  /** Where the rules are looked for; undefined if there are none to look for. */
  readonly backend: Backend | undefined;
  readonly missing: readonly string[];
  readonly taken: readonly Taken[];
}

/** What was found, and whether any of it was written by this program: the reference makes no guard. */
interface Finding extends Omit<Losses, "backend"> {
  readonly isOurs: boolean;
}

/** Whether the ports work. */
export const isWhole = ({ missing, taken }: Omit<Losses, "backend">): boolean =>
  missing.length === 0 && taken.length === 0;

/**
 * @param backend undefined for the default
 * @param device the interface that leads to the container's IPv4 address
 * @throws CniError, NetlinkError
 */
export async function findLosses(
  backend: Backend | undefined,
  published: Published,
  device: string | undefined,
): Promise<Losses> {
  const families = FAMILIES.filter(
    (family) => published.addresses[family] !== undefined && mappingsOf(published, family).length > 0,
  );
  if (families.length === 0) return { missing: [], taken: [], backend: undefined };
  using netfilter = openNftables();
  const choice = await backendOf(backend, netfilter);
  const other = choice === "iptables" ? "nftables" : "iptables";
  let found = await findingOf(choice, netfilter, published, families);
  // The default backend may have been another one when the ports were published.
  if (!isWhole(found) && backend === undefined) {
    const elsewhere = await findingOf(other, netfilter, published, families);
    if (elsewhere.missing.length === 0) found = elsewhere;
  }
  const missing = [...found.missing];
  if (device !== undefined && published.snat && families.includes(4)) {
    if (!routesLocalnet(device))
      missing.push(`route_localnet of ${device} is 0, so 127.0.0.1 does not lead to the container`);
    if (found.isOurs && netfilter !== undefined)
      for (const rule of missingGuard(netfilter, device)) missing.push(rule);
  }
  return { missing, taken: found.taken, backend: choice };
}

async function findingOf(
  backend: Backend,
  netfilter: Connection | undefined,
  published: Published,
  families: readonly Family[],
): Promise<Finding> {
  const findings: Finding[] = [];
  for (const family of families) {
    if (backend === "iptables") findings.push(await ofIptables(netfilter, published, family));
    else if (netfilter === undefined) findings.push({ missing: [NO_NFTABLES], taken: [], isOurs: false });
    else findings.push(ofNftables(netfilter, published, family));
  }
  return {
    missing: findings.flatMap(({ missing }) => missing),
    taken: findings.flatMap(({ taken }) => taken),
    isOurs: findings.some(({ isOurs }) => isOurs),
  };
}

const nowLeads = (
  mapping: Mapping,
  to: Rule | undefined,
  { containerId, network }: Pick<Rival, "containerId" | "network">,
): Taken => ({
  containerId,
  network,
  words: `host port ${describeMapping(mapping)} now leads to ${to?.to === undefined ? "" : `${formatEndpoint(to.to)} of `}${describeRival({ containerId, network })}`,
});

function ofNftables(connection: Connection, published: Published, family: Family): Finding {
  const own = HOSTPORTS[family];
  const chains = chainsOf(connection, family);
  const address = published.addresses[family]?.address;
  const missing: string[] = [];
  const taken: Taken[] = [];
  if (address === undefined) return { missing, taken, isOurs: false };
  const table = `table ${own.ports.family} ${own.ports.table}`;
  const requireBase = (found: (typeof chains)["prerouting"], base: OwnChain): void => {
    if (!isHooked(found, base))
      missing.push(`chain ${base.chain} of ${table} is missing, or is not a nat chain of its hook`);
  };
  requireBase(chains.prerouting, own.prerouting);
  requireBase(chains.output, own.output);
  if (published.snat) requireBase(chains.masquerading, own.masquerading);
  for (const [chain, wanted] of hostportEntries(own)) {
    const texts = textsOf(rulesIn(connection, chain));
    for (const rule of wanted)
      if (!texts.has(ruleText(rule)))
        missing.push(`chain ${chain.chain} of ${table} lacks the rule "${nativeText(rule)}"`);
  }
  const owned = ownedBy(published, (each) => each.value === address.value);
  const rules = ownRules(connection, family, owned);
  const isOurs = rules.some(({ mark }) => mark !== undefined);
  const handles = new Set(rules.map(({ handle }) => handle));
  const sieve = mappingsAmong(owned.parts, published, family);
  const isDnat = ({ part }: NftRule): boolean => part?.verdict === "dnat";
  const found = byPort(rulesIn(connection, own.ports, isDnat, sieve));
  const hasConditions = published.conditions[family] !== undefined;
  for (const mapping of mappingsOf(published, family)) {
    const wanted = mappingRule(mapping, address);
    const same = found.get(portText(mapping.protocol, mapping.hostPort)) ?? [];
    const at = same.findIndex((each) => handles.has(each.handle) && isMapping(each, wanted, hasConditions));
    if (at < 0)
      missing.push(
        `chain ${own.ports.chain} of ${table} has no rule that leads port ${describeMapping(mapping)} to ${formatEndpoint({ address, port: mapping.containerPort })}`,
      );
    const earlier = same
      .slice(0, at < 0 ? same.length : at)
      .find(({ handle, part }) => !handles.has(handle) && part !== undefined && takes(part, mapping, family));
    if (earlier !== undefined) {
      const { network } = parseOwner(earlier.owner ?? "");
      taken.push(nowLeads(mapping, earlier.part, { containerId: earlier.comment, network }));
    }
  }
  const texts = textsOf(rules);
  for (const rule of masqueradeRules(published, family)) {
    // The reference masquerades only what comes from the container itself.
    const { states: _, ...plain } = { ...rule, source: exactly(address) };
    if (!texts.has(ruleText(rule)) && (isOurs || !texts.has(ruleText(plain))))
      missing.push(`chain ${own.masquerading.chain} of ${table} lacks the rule "${nativeText(rule)}"`);
  }
  return { missing, taken, isOurs };
}

/** A rule for messages about nftables. */
const nativeText = ({ isLocal, target, ...rule }: Rule): string =>
  target === undefined ? ruleText(rule) : `${isLocal ? "fib daddr type local " : ""}jump ${target}`;

/**
 * Rules that are complete in either variant work: the host's iptables may have had the other one when they were written. Not
 * so if the table of the present one leads a port elsewhere.
 */
async function ofIptables(
  connection: Connection | undefined,
  published: Published,
  family: Family,
): Promise<Finding> {
  const place = (await hostTable(connection, family)) ?? { family, connection: undefined };
  const found = await inTable(place, published, family);
  const other = place.connection === undefined ? connection : undefined;
  const isThere = other !== undefined || (place.connection !== undefined && hasLegacyTable(family, "nat"));
  if (isWhole(found) || found.taken.length > 0 || !isThere) return found;
  const elsewhere = await inTable({ family, connection: other }, published, family);
  return elsewhere.missing.length === 0 ? elsewhere : found;
}

async function inTable(place: Place, published: Published, family: Family): Promise<Finding> {
  const { connection: nft } = place;
  const state = nft === undefined ? await readLegacy(family) : readNft(nft, family, published);
  const where = `the nat table of ${nameOf(place)}`;
  const missing: string[] = [];
  const lacks = (chain: string, rule: Rule): void => {
    missing.push(`chain ${chain} of ${where} lacks the rule "-A ${chain} ${ruleText(rule)}"`);
  };
  for (const { chain, rule } of sharedRules(published)) {
    const isThere =
      chain === "POSTROUTING"
        ? state.isMasquerading
        : rulesOf(state, chain).some((each) => isSame(each.rule, rule));
    if (!isThere) lacks(chain, rule);
  }
  const own = portChain(published);
  const rules = state.chains.get(own);
  if (rules === undefined) missing.push(`${where} has no chain ${own}`);
  else {
    const texts = textsOf(rules);
    for (const rule of chainRules(published, family)) if (!texts.has(ruleText(rule))) lacks(own, rule);
  }
  const entries = rulesOf(state, SHARED.entry);
  for (const entry of entryRules(published))
    if (rules !== undefined && !entries.some((each) => leadsAs(each, entry))) lacks(SHARED.entry, entry);
  const taken = takenFromIptables(state, published, family, (chain) =>
    nft === undefined ? state : readOwnNft(nft, family, chain),
  );
  return { missing, taken, isOurs: rules?.some(({ mark }) => mark !== undefined) ?? false };
}

/** The ports that lead elsewhere, because another entry comes first. */
function takenFromIptables(
  state: NatState,
  published: Published,
  family: Family,
  stateOf: (chain: string) => NatState,
): Taken[] {
  const own = portChain(published);
  const taken = takenFrom(mappingsOf(published, family), family);
  const places = new Map<FoundRule, number>();
  const ownPlaces = new Map<Mapping, number>();
  for (const [at, entry] of rulesOf(state, SHARED.entry).entries()) {
    const { target, part } = entry;
    places.set(entry, at);
    if (target === own && part !== undefined)
      for (const mapping of taken(part)) if (!ownPlaces.has(mapping)) ownPlaces.set(mapping, at);
  }
  return rivalEntries(state, published, family, stateOf).flatMap(({ entry, mapping, dnat }) =>
    (places.get(entry) ?? 0) > (ownPlaces.get(mapping) ?? Number.POSITIVE_INFINITY)
      ? []
      : nowLeads(mapping, dnat, rivalOf(entry, mapping)),
  );
}
