/** CHECK of addresses, routes and gateways (rules B38, G17). What other plugins added is tolerated. */
import type { IpConfig, Route } from "../../cni/result.ts";
import { type Family, formatIp, sameIp } from "../../net/ip.ts";
import { formatPrefix, networkOf, overlaps, type Prefix, samePrefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeRoute, dumpRoutes, type Route as KernelRoute } from "../../netlink/rtnetlink/route.ts";
import type { PresentLink } from "./bridge-link.ts";
import { prefixesOf } from "./gateway.ts";
import { lost } from "./lost.ts";

/** Each address is there with its prefix length. @throws CniError */
export function verifyAddresses(container: Connection, link: PresentLink, ips: readonly IpConfig[]): void {
  if (ips.length === 0) return;
  const present = prefixesOf(container, link.index);
  for (const { address } of ips) {
    if (present.some((candidate) => samePrefix(candidate, address))) continue;
    throw lost(
      `Failed to match addr ${formatPrefix(address)} on interface ${link.name}: it has ${present.map(formatPrefix).join(", ") || "none"}`,
    );
  }
}

/**
 * Each route is there, in its table or, if none is named, in any: later plugins of the chain may have moved it. The
 * gateway counts where the result names one, but not for a default route.
 */
export function verifyRoutes(container: Connection, link: PresentLink, routes: readonly Route[]): void {
  for (const family of [4, 6] as const) {
    const wanted = routes.filter((route) => route.dst.address.family === family);
    if (wanted.length === 0) continue;
    const present = kernelRoutes(container, family);
    for (const route of wanted) {
      if (present.some((candidate) => matches(candidate, route))) continue;
      const via = route.gw === undefined ? "" : ` via ${formatIp(route.gw)}`;
      throw lost(
        `Expected Route ${formatPrefix(route.dst)}${via} not found in routing table of the container (interface ${link.name})`,
      );
    }
  }
}

const RTN_UNICAST = 1;

const kernelRoutes = (container: Connection, family: Family): KernelRoute[] =>
  container
    .dump(dumpRoutes(family))
    .map((message) => decodeRoute(message.payload))
    .filter((route) => route.type === RTN_UNICAST);

function matches(candidate: KernelRoute, wanted: Route): boolean {
  if (!samePrefix(candidate.dst, networkOf(wanted.dst))) return false;
  if (wanted.table !== undefined && wanted.table !== 0 && candidate.table !== wanted.table) return false;
  if (wanted.priority !== undefined && wanted.priority !== 0 && candidate.priority !== wanted.priority)
    return false;
  if (wanted.gw === undefined || wanted.dst.length === 0) return true;
  return candidate.gateway !== undefined && sameIp(candidate.gateway, wanted.gw);
}

/** The bridge, or the VLAN's gateway interface, still is the gateway of each address. @throws CniError */
export function verifyGateways(
  host: Connection,
  link: PresentLink,
  ips: readonly IpConfig[],
  forceAddress: boolean,
): void {
  const present = prefixesOf(host, link.index);
  const gateways = ips.flatMap(({ address, gateway }) =>
    gateway === undefined ? [] : [{ address: gateway, length: address.length }],
  );
  for (const [index, wanted] of gateways.entries()) {
    if (present.some((candidate) => samePrefix(candidate, wanted))) continue;
    // The one bridge address that there may be is that of the last gateway (B25).
    if (forceAddress && gateways.slice(index + 1).some((later) => replaces(later, wanted))) continue;
    throw lost(
      `gateway address ${formatPrefix(wanted)} is missing on ${link.name}: it has ${present.map(formatPrefix).join(", ") || "none"}`,
    );
  }
}

const replaces = (later: Prefix, earlier: Prefix): boolean =>
  later.address.family === earlier.address.family && (later.address.family === 4 || overlaps(later, earlier));
