/**
 * Ends UDP flows that would not see new rules (M49, M50): packets of a flow that is tracked take the way that its first
 * one took. The kernel searches and deletes the flows. For IPv6, whose addresses its filters compare wrongly, and where it
 * cannot delete by a filter, it lists those with the port.
 */
import type { Family, IpAddress } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import {
  decodeFlow,
  deleteFlow,
  deleteFlows,
  dumpFlows,
  type FlowFilter,
  selects,
} from "../../netlink/conntrack/flow.ts";
import { NetlinkError, refusedWith } from "../../netlink/error.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { familyOf } from "../../netlink/ip-attribute.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../../netlink/rtnetlink/address.ts";
import { type Endpoint, PROTOCOLS } from "../rule.ts";
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

/** Ends all flows that a filter selects. @throws NetlinkError */
export function endFlows(connection: Connection, filters: readonly FlowFilter[]): void {
  const others = filters.filter(({ family }) => family === 6);
  const own = filters.filter(({ family }) => family === 4);
  for (const [index, { error }] of connection.callAll(own.map(deleteFlows)).entries()) {
    const filter = own[index];
    if (error === undefined || filter === undefined || refusedWith(error, "ENOENT")) continue;
    // The kernel has no filters for deletions.
    if (!refusedWith(error, "EINVAL", "EOPNOTSUPP")) throw error;
    others.push(filter);
  }
  const groups = Map.groupBy(
    others,
    ({ family, direction, sourcePort, destinationPort }) =>
      `${family} ${direction} ${sourcePort} ${destinationPort}`,
  );
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const flows = connection.dump(dumpFlows(first), (message) => {
      const flow = decodeFlow(message);
      return group.some((filter) => selects(filter, flow)) ? flow : undefined;
    });
    for (const { error } of connection.callAll(flows.map(deleteFlow)))
      if (error !== undefined && !refusedWith(error, "ENOENT")) throw error;
  }
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
