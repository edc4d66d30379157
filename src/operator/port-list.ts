/** Lists the published ports of this host with their states (rule O9): for `ports` and `show`. */
import type { Attachment } from "../cni/attachment.ts";
import { type Family, type IpAddress, parseIp, sameIp } from "../net/ip.ts";
import { openNftables } from "../netfilter/kernel.ts";
import { closedEntrances } from "../netfilter/portmap/entrances.ts";
import { describeMapping, type Mapping } from "../netfilter/portmap/published.ts";
import { PROTOCOLS, type Protocol } from "../netfilter/rule.ts";
import { NetlinkError } from "../netlink/error.ts";
import { connect, protocol as netlink } from "../netlink/index.ts";
import { takenPorts } from "../plugins/portmap/host-sockets.ts";
import { goneOf } from "../plugins/portmap/surroundings.ts";
import { type Holder, holdersOf } from "../sys/socket-holder.ts";
import { type FoundAttachment, type HostState, knownAddresses } from "./attachments.ts";
import { addressesOf } from "./cached-result.ts";
import { deathOf } from "./death.ts";
import { type JudgedLease, judge } from "./lease-states.ts";
import { Living } from "./living.ts";
import { isDocument } from "./networks.ts";
import { type OwnedRule, recordOf } from "./owned-rules.ts";
import { type FoundMapping, findMappings } from "./port-rules.ts";

/**
 * What becomes of the packets of a port. "leads": they go to the container. "taken": they do, and a process of the host that
 * listens on the port gets none. "contested": they do, or go to a rule of another backend. "shadowed": they go to an earlier
 * rule. "unreachable": they pass no rule that leads there, or no interface has its address. "dead": the container is gone. "lost": no rule is there any more.
 */
export type PortState = "leads" | "taken" | "contested" | "shadowed" | "unreachable" | "dead" | "lost";

/** A port of the host that leads to a container, or did. */
export interface PublishedPort extends Partial<Attachment> {
  readonly family: Family;
  /** The value 0 of its `hostIp` means all addresses of the family. */
  readonly mapping: Mapping & { readonly hostIp: IpAddress };
  /** The container's address. */
  readonly address: IpAddress;
  /** "nftables", "iptables-nft", "ip6tables-legacy"; undefined for a lost port. */
  readonly backend: string | undefined;
  readonly state: PortState;
  /** Why it is dead, unreachable or lost. */
  readonly why: string | undefined;
  /** Whose rule takes its packets, or may. */
  readonly by: (Partial<Attachment> & { readonly backend: string }) | undefined;
  /** The process of the host that listens on the port, if /proc shows it. */
  readonly process: Holder | undefined;
  /** Whether it leads from each address of the host and for each sender. */
  readonly isOpen: boolean;
  readonly attachment: FoundAttachment | undefined;
  readonly rule: OwnedRule | undefined;
}

/** All published ports by number, and the leases by which they were judged. @throws NetlinkError, SystemError, CniError */
export async function readPorts(host: HostState): Promise<{ ports: PublishedPort[]; leases: JudgedLease[] }> {
  using netfilter = openNftables();
  const found = findMappings(host.rules, closedEntrances(netfilter));
  const owners = ownersOf(host.attachments);
  using route = connect(netlink.route);
  const living = new Living(route, host.cache, host.networks.networks, host);
  const leases: JudgedLease[] = [];
  for (const folder of host.folders) for (const lease of await judge(folder, living)) leases.push(lease);
  const deaths = await deathsOf(found, owners, leases);
  const taken = takenBy(found.map(({ mapping }) => mapping));
  const ports = found.map((each): PublishedPort => {
    const { rule, mapping, family, address, isConditional } = each;
    const attachment = owners(each);
    const unreached = living.usersOf(address).length === 0 ? NO_INTERFACE : each.unreached;
    const state = stateOf({ ...each, unreached }, deaths.get(each), taken.has(mapping));
    const rival = each.shadowedBy ?? each.contestedBy;
    const isOpen = !isConditional && mapping.hostIp.value === 0n && LEADING.includes(state.state);
    return {
      ...{ family, mapping, address, isOpen, attachment, rule, ...state },
      ...namesOf(rule, attachment),
      process: taken.get(mapping),
      backend: rule.backend,
      by: rival && { backend: rival.rule.backend, ...namesOf(rival.rule, owners(rival)) },
    };
  });
  for (const lost of lostPorts(host.attachments, found)) ports.push(lost);
  ports.sort(
    (a, b) =>
      a.mapping.hostPort - b.mapping.hostPort ||
      PROTOCOLS[a.mapping.protocol] - PROTOCOLS[b.mapping.protocol],
  );
  return { ports, leases };
}

/** The Go plugins record nothing, so whether their container is gone is not proven. */
const NO_INTERFACE = "no interface has its address";

const LEADING: readonly PortState[] = ["leads", "taken", "contested"];

function stateOf(
  { unreached, shadowedBy, contestedBy }: FoundMapping,
  death: string | undefined,
  isTaken: boolean,
): Pick<PublishedPort, "state" | "why"> {
  if (death !== undefined) return { state: "dead", why: death };
  if (unreached !== undefined) return { state: "unreachable", why: unreached };
  const why = undefined;
  if (shadowedBy !== undefined) return { state: "shadowed", why };
  if (contestedBy !== undefined) return { state: "contested", why };
  return { state: isTaken ? "taken" : "leads", why };
}

/** Rules of the reference name no network or no interface: then the attachment with the address is the one. */
function ownersOf(
  attachments: readonly FoundAttachment[],
): (found: FoundMapping) => FoundAttachment | undefined {
  const byRule = Map.groupBy(
    attachments.flatMap((attachment) => attachment.rules.map((rule) => ({ attachment, rule }))),
    ({ rule }) => rule,
  );
  return ({ rule, address }) => {
    const all = (byRule.get(rule) ?? []).map(({ attachment }) => attachment);
    return all.find((each) => knownAddresses(each).some((known) => sameIp(known, address))) ?? all[0];
  };
}

/** The names of a rule's attachment, or else what the rule itself says of them. */
function namesOf(rule: OwnedRule, attachment: FoundAttachment | undefined): Partial<Attachment> {
  const { network, containerId, ifname }: Partial<Attachment> = attachment ?? rule;
  return {
    ...(network !== undefined && { network }),
    ...(containerId !== undefined && { containerId }),
    ...(ifname !== undefined && { ifname }),
  };
}

/** Why the containers of ports are dead, for those that are. */
async function deathsOf(
  found: readonly FoundMapping[],
  owners: (found: FoundMapping) => FoundAttachment | undefined,
  leases: readonly JudgedLease[],
): Promise<Map<FoundMapping, string>> {
  const deaths = new Map<FoundMapping, string>();
  const judged = new Map(leases.map((lease) => [lease.path, lease]));
  const gone = await goneOf(found.flatMap(({ rule }) => recordOf(rule) ?? []));
  for (const each of found) {
    const attachment = owners(each);
    const own = attachment?.leases.flatMap(({ path }) => judged.get(path) ?? []) ?? [];
    const death = deathOf(own, attachment, gone.has(recordOf(each.rule) ?? ""));
    if (death !== undefined) deaths.set(each, death);
  }
  return deaths;
}

/**
 * The ports on which a program of the host listens, each with the program if /proc shows it. Some kernels cannot list the
 * sockets of SCTP: then none of these is found.
 */
function takenBy<M extends Mapping>(mappings: readonly M[]): Map<M, Holder | undefined> {
  const taken: (readonly [M, number])[] = [];
  for (const ofProtocol of Map.groupBy(mappings, ({ protocol }) => protocol).values()) {
    try {
      for (const [mapping, { inode }] of takenPorts(ofProtocol)) taken.push([mapping, inode]);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
    }
  }
  const inodes = new Set(taken.map(([, inode]) => inode));
  const holders = inodes.size === 0 ? undefined : holdersOf(inodes);
  return new Map(taken.map(([mapping, inode]) => [mapping, holders?.get(inode)]));
}

/** Ports of living attachments that runtimes asked for, and that no rule publishes any more, as after a firewall's reload. */
function* lostPorts(
  attachments: readonly FoundAttachment[],
  found: readonly FoundMapping[],
): Generator<PublishedPort> {
  const present = new Set(found.map(({ mapping, address }) => keyOf(mapping, address)));
  for (const attachment of attachments) {
    const { network, containerId, ifname, cached, netns } = attachment;
    const wanted = cached?.capabilityArgs.portMappings;
    if (netns === undefined || !Array.isArray(wanted)) continue;
    for (const address of addressesOf(cached)) {
      for (const mapping of wanted.flatMap((each: unknown) => cachedMapping(each, address.family))) {
        if (present.has(keyOf(mapping, address))) continue;
        yield {
          ...{ network, containerId, ifname, attachment, mapping, address, family: address.family },
          ...{ backend: undefined, by: undefined, process: undefined, rule: undefined, isOpen: false },
          state: "lost",
          why: "no rule leads to the container any more",
        };
      }
    }
  }
}

const keyOf = (mapping: Mapping, address: IpAddress): string =>
  `${describeMapping(mapping)} ${address.family} ${address.value} ${mapping.containerPort}`;

/** An item of `portMappings` (rules M1, M8), for a family of the container's addresses. */
function cachedMapping(item: unknown, family: Family): (Mapping & { readonly hostIp: IpAddress })[] {
  if (!isDocument(item)) return [];
  const { hostPort, containerPort, protocol = "tcp", hostIP = "" } = item;
  const name = typeof protocol === "string" ? protocol.toLowerCase() || "tcp" : "";
  const hostIp = hostIP === "" ? { family, value: 0n } : parseIp(String(hostIP));
  if (typeof hostPort !== "number" || typeof containerPort !== "number" || !Object.hasOwn(PROTOCOLS, name))
    return [];
  if (hostPort < 1 || hostIp?.family !== family) return [];
  return [{ protocol: name as Protocol, hostPort, containerPort, hostIp }];
}
