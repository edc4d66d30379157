/**
 * Reads published ports from the rules of all backends, and which of several for one port of the host takes its packets
 * (rule M47).
 */
import type { Family, IpAddress } from "../net/ip.ts";
import { HOSTPORTS } from "../netfilter/nftables/base-chains.ts";
import type { ClosedEntrance } from "../netfilter/portmap/entrances.ts";
import { SHARED } from "../netfilter/portmap/iptables-layout.ts";
import type { Mapping } from "../netfilter/portmap/published.ts";
import type { FoundRule, Rule } from "../netfilter/rule.ts";
import type { OwnedRule } from "./owned-rules.ts";

/** A mapping that was found as a rule. */
export interface FoundMapping {
  readonly rule: OwnedRule;
  readonly family: Family;
  /** The value 0 of its `hostIp` means all addresses of the family. */
  readonly mapping: Mapping & { readonly hostIp: IpAddress };
  /** The container's address. */
  readonly address: IpAddress;
  /** It takes only some of the packets: those from an address, say. */
  readonly isConditional: boolean;
  /** Why no packet reaches the rule. */
  readonly unreached: string | undefined;
  /** Another rule that takes all its packets, and comes first. */
  readonly shadowedBy?: FoundMapping;
  /** A rule of another backend for the same packets: which backend comes first, the kernel does not tell. */
  readonly contestedBy?: FoundMapping;
}

/** All mappings, those of one backend in the order in which packets meet them. */
export function findMappings(rules: readonly OwnedRule[], closed: readonly ClosedEntrance[]): FoundMapping[] {
  const places = Map.groupBy(
    rules.filter(({ purpose, family }) => purpose === "port" && family !== undefined),
    ({ backend, family }) => `${backend} ${family}`,
  );
  const all = [...places.values()].flatMap((ofPlace) => {
    const entrance = closed.find((each) => isAt(each, ofPlace[0]));
    return ofPlace[0]?.backend === "nftables"
      ? mappingsOfNftables(ofPlace, entrance?.missing)
      : mappingsOfIptables(ofPlace, entrance?.missing);
  });
  const rivals = Map.groupBy(
    all,
    ({ family, mapping: { protocol, hostPort } }) => `${family} ${protocol} ${hostPort}`,
  );
  return all.map((found) => {
    const { family, mapping } = found;
    return withRivals(found, rivals.get(`${family} ${mapping.protocol} ${mapping.hostPort}`) ?? []);
  });
}

const isAt = ({ family, variant }: ClosedEntrance, rule: OwnedRule | undefined): boolean =>
  rule?.family === family && (rule.backend === variant || rule.backend.endsWith(`-${variant}`));

/** Its packets pass the chain of old versions of the reference first. */
function mappingsOfNftables(rules: readonly OwnedRule[], unreached: string | undefined): FoundMapping[] {
  const isOld = ({ chain }: OwnedRule): boolean => chain === HOSTPORTS[4].hostIpPorts.chain;
  return [...rules.filter(isOld), ...rules.filter((rule) => !isOld(rule))].flatMap((rule) =>
    mappingOf(rule, undefined, unreached),
  );
}

/** A rule of the shared chain leads the packets of some ports into a container's chain. */
function mappingsOfIptables(rules: readonly OwnedRule[], closed: string | undefined): FoundMapping[] {
  const entries = rules.filter(({ chain, found }) => chain === SHARED.entry && found?.target !== undefined);
  const inChains = Map.groupBy(
    rules.filter(({ chain }) => chain !== SHARED.entry),
    ({ chain }) => chain,
  );
  const found: FoundMapping[] = [];
  const led = new Set<OwnedRule>();
  for (const { found: entry } of entries) {
    for (const rule of inChains.get(entry?.target ?? "") ?? []) {
      if (led.has(rule) || !leadsTo(entry?.part, rule.found?.part)) continue;
      led.add(rule);
      for (const mapping of mappingOf(rule, entry, closed)) found.push(mapping);
    }
  }
  for (const rule of [...inChains.values()].flat()) {
    if (led.has(rule)) continue;
    const lost = `chain ${SHARED.entry} has no rule that leads to ${rule.chain} for its port`;
    for (const mapping of mappingOf(rule, undefined, closed ?? lost)) found.push(mapping);
  }
  return found;
}

/** Whether packets of a rule of a container's chain pass a rule of the shared chain. */
const leadsTo = (entry: Rule | undefined, rule: Rule | undefined): boolean =>
  entry !== undefined &&
  rule?.port !== undefined &&
  (entry.protocol === undefined || entry.protocol === rule.protocol) &&
  (entry.ports === undefined || entry.ports.includes(rule.port));

/** What a rule without conditions (M58) has. */
const USUAL: readonly string[] = [
  ...["protocol", "port", "ports", "destination", "comment"],
  ...["verdict", "target", "to"],
];

const isConditional = ({ rule }: FoundRule): boolean =>
  rule === undefined ||
  Object.entries(rule).some(([field, value]) => value !== undefined && !USUAL.includes(field));

/** The mapping of a rule; none if it does not change a packet's destination. */
function mappingOf(
  rule: OwnedRule,
  entry: FoundRule | undefined,
  unreached: string | undefined,
): FoundMapping[] {
  const { found, family } = rule;
  const { protocol, port, destination, to } = found?.part ?? {};
  if (found === undefined || family === undefined) return [];
  if (protocol === undefined || port === undefined || to === undefined) return [];
  return [
    {
      ...{ rule, family, unreached },
      mapping: {
        ...{ protocol, hostPort: port, containerPort: to.port },
        hostIp: destination?.prefix.address ?? { family, value: 0n },
      },
      address: to.address,
      isConditional: isConditional(found) || (entry !== undefined && isConditional(entry)),
    },
  ];
}

/** Adds what takes its packets; `rivals` are in their order. */
function withRivals(found: FoundMapping, rivals: readonly FoundMapping[]): FoundMapping {
  const taking = rivals.filter((rival) => rival !== found && takesAllOf(rival, found));
  const isSamePlace = ({ rule }: FoundMapping): boolean => rule.backend === found.rule.backend;
  const before = rivals.slice(0, rivals.indexOf(found));
  const shadowedBy = taking.find((rival) => isSamePlace(rival) && before.includes(rival));
  const contestedBy = taking.find((rival) => !isSamePlace(rival));
  return {
    ...found,
    ...(shadowedBy !== undefined && { shadowedBy }),
    ...(contestedBy !== undefined && { contestedBy }),
  };
}

/** Whether a rule would leave no packet to another one behind it. */
function takesAllOf({ mapping, isConditional, unreached }: FoundMapping, other: FoundMapping): boolean {
  const { hostIp } = mapping;
  if (isConditional || unreached !== undefined) return false;
  return hostIp.value === 0n || hostIp.value === other.mapping.hostIp.value;
}
