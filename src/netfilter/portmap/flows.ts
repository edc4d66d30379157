/**
 * Ends UDP flows that would not see new rules (M49, M50): packets of a flow that is tracked take the way that its first
 * one took. The kernel searches and deletes the flows. For IPv6, whose addresses its filters compare wrongly, for many ports,
 * and where it cannot delete by a filter, it lists what its filters select, and single flows are deleted.
 */
import type { Family, IpAddress } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import {
  decodeFlow,
  deleteFlow,
  deleteFlows,
  dumpFlows,
  type Flow,
  type FlowFilter,
  selects,
} from "../../netlink/conntrack/flow.ts";
import { NetlinkError, refusedWith } from "../../netlink/error.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { familyOf } from "../../netlink/ip-attribute.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../../netlink/rtnetlink/address.ts";
import { type Endpoint, PROTOCOLS } from "../rule.ts";
import { hasPort } from "./port-sieve.ts";
import { LOCALHOST, type Mapping } from "./published.ts";

const UDP = PROTOCOLS.udp;

/** Addresses of the host. @throws NetlinkError */
function localAddresses(): IpAddress[] {
  using host = connect(protocol.route);
  return host.dump(dumpAddressesIn(), ({ type, payload }) =>
    type === RTM_NEWADDR && familyOf(payload[0] ?? 0) !== undefined
      ? decodeAddress(payload).prefix.address
      : undefined,
  );
}

/** The flows to the host's own addresses that the mappings of these families take from now on (M49). */
export function staleFlows(
  mappings: readonly (Mapping & { readonly family: Family })[],
  local: () => readonly IpAddress[] = localAddresses,
): FlowFilter[] {
  let own: readonly IpAddress[] | undefined;
  const filters: FlowFilter[] = [];
  for (const { protocol: name, hostPort, hostIp, family } of mappings) {
    if (name !== "udp") continue;
    const base = { family, direction: "original", protocol: UDP, destinationPort: hostPort } as const;
    if (hostIp !== undefined && hostIp.value !== 0n) filters.push({ ...base, destination: hostIp });
    else {
      own ??= local();
      for (const address of own)
        if (address.family === family) filters.push({ ...base, destination: address });
      // Flows of the host to any other address of 127.0.0.0/8.
      if (family === 4) filters.push({ ...base, source: LOCALHOST });
    }
  }
  return filters;
}

/** The flows that lead to a container's ports which no rule leads to any more (M50). */
export const flowsTo = (endpoints: readonly Endpoint[]): FlowFilter[] =>
  endpoints.map(({ address, port }) => ({
    family: address.family,
    direction: "reply",
    protocol: UDP,
    source: address,
    sourcePort: port,
  }));

/**
 * The kernel goes through its whole table for each request, and its filters know no lists. Above so many requests it searches
 * once, for what all filters have in common, and what it finds is compared here.
 */
const MOST_SEARCHES = 4;
/** Deletions in one datagram. */
const MOST_DELETIONS = 1000;

/** Ends all flows that a filter selects. @throws NetlinkError */
export function endFlows(connection: Connection, filters: readonly FlowFilter[]): void {
  const own = filters.filter(({ family }) => family === 4);
  const isOneByOne = own.length <= MOST_SEARCHES;
  const others = isOneByOne ? filters.filter(({ family }) => family === 6) : [...filters];
  for (const [index, { error }] of connection.callAll(isOneByOne ? own.map(deleteFlows) : []).entries()) {
    const filter = own[index];
    if (error === undefined || filter === undefined || refusedWith(error, "ENOENT")) continue;
    // The kernel has no filters for deletions.
    if (!refusedWith(error, "EINVAL", "EOPNOTSUPP")) throw error;
    others.push(filter);
  }
  for (const group of groupsOf(others)) endListed(connection, group);
}

/** Filters for one search: of the same port, or if there are many ports, of all. */
function groupsOf(filters: readonly FlowFilter[]): (readonly FlowFilter[])[] {
  const all = Map.groupBy(filters, ({ family, direction }) => `${family} ${direction}`);
  return [...all.values()].flatMap((group) => {
    const ports = Map.groupBy(group, portOf);
    return ports.size > MOST_SEARCHES ? [group] : [...ports.values()];
  });
}

/** The port that a filter is about: that to which flows began, or that from which answers come. */
const portOf = ({ sourcePort, destinationPort }: FlowFilter) => sourcePort ?? destinationPort;
const portIn = ({ original, reply }: Flow, direction: FlowFilter["direction"]) =>
  direction === "original" ? original?.destinationPort : reply?.sourcePort;

/** Begins these ports in a flow's bytes: CTA_PROTO_DST_PORT and CTA_PROTO_SRC_PORT with their lengths. */
const PORT_BYTES = { original: Uint8Array.of(6, 0, 3, 0), reply: Uint8Array.of(6, 0, 2, 0) };

/** Lists the flows that the filters may select, and deletes those that they do. @throws NetlinkError */
function endListed(connection: Connection, filters: readonly FlowFilter[]): void {
  const [first] = filters;
  if (first === undefined) return;
  const { direction } = first;
  const byPort = Map.groupBy(filters, portOf);
  const flows = connection.dump(dumpFlows(commonOf(first, filters)), (message) => {
    // Of a busy node's flows few are decoded.
    if (!hasPort(message.payload, PORT_BYTES[direction], byPort)) return undefined;
    const flow = decodeFlow(message);
    return byPort.get(portIn(flow, direction))?.some((filter) => selects(filter, flow)) ? flow : undefined;
  });
  for (let at = 0; at < flows.length; at += MOST_DELETIONS)
    for (const { error } of connection.callAll(flows.slice(at, at + MOST_DELETIONS).map(deleteFlow)))
      if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
}

/** What all these filters select by. Kernels select IPv6 flows with other addresses, too (seen with 6.18). */
function commonOf(first: FlowFilter, filters: readonly FlowFilter[]): FlowFilter {
  const { source, destination, sourcePort, destinationPort, ...rest } = first;
  const inAll = (isSame: (filter: FlowFilter) => boolean): boolean => filters.every(isSame);
  const hasAddresses = rest.family === 4;
  return {
    ...rest,
    source: hasAddresses && inAll((each) => each.source?.value === source?.value) ? source : undefined,
    destination:
      hasAddresses && inAll((each) => each.destination?.value === destination?.value)
        ? destination
        : undefined,
    sourcePort: inAll((each) => each.sourcePort === sourcePort) ? sourcePort : undefined,
    destinationPort: inAll((each) => each.destinationPort === destinationPort) ? destinationPort : undefined,
  };
}

/** The same for a call that goes on without it: the rules are right in any case. */
export function tryToEndFlows(
  connection: Connection | undefined,
  filters: readonly FlowFilter[],
  log: (line: string) => void,
): void {
  if (filters.length === 0) return;
  try {
    using own = connection === undefined ? connect(protocol.netfilter) : undefined;
    const used = connection ?? own;
    if (used !== undefined) endFlows(used, filters);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    log(`UDP flows that began before may still go another way until they end: ${error.message}`);
  }
}
