/** CHECK of addresses, routes and gateways (rules B38, G17). What other plugins added is tolerated. */
import type { IpConfig, Route } from "../../cni/result.ts";
import { FAMILIES, formatIp, sameIp } from "../../net/ip.ts";
import { formatPrefix, networkOf, overlaps, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { addressOf, dumpAddresses } from "../../netlink/rtnetlink/address.ts";
import {
  decodeRoute,
  dumpRoutes,
  gatewaysOf,
  type Route as KernelRoute,
  RTN_UNICAST,
} from "../../netlink/rtnetlink/route.ts";
import type { PresentLink } from "./bridge-link.ts";
import type { Losses } from "./lost.ts";
import { Some } from "./some.ts";

/** Each address is there with its prefix length. */
export function verifyAddresses(
  container: Connection,
  link: PresentLink,
  ips: readonly IpConfig[],
  losses: Losses,
): void {
  if (ips.length === 0) return;
  const { missing, all } = addressesOn(
    container,
    link,
    ips.map(({ address }) => formatPrefix(address)),
  );
  for (const { address } of ips) {
    if (!missing.has(formatPrefix(address))) continue;
    losses.report(
      `Failed to match addr ${formatPrefix(address)} on interface ${link.name}: it has ${all.text}`,
    );
  }
}

/** Which of `texts` the interface lacks, and what it has. */
const addressesOn = (connection: Connection, { index }: PresentLink, texts: readonly string[]) =>
  connection.fold(
    dumpAddresses(index),
    () => ({ missing: new Set(texts), all: new Some() }),
    ({ missing, all }, message) => {
      const address = addressOf(message, index);
      if (address === undefined) return;
      const text = formatPrefix(address.prefix);
      missing.delete(text);
      all.add(text);
    },
  );

/**
 * Each route is there, in its table or, if none is named, in any: later plugins of the chain may have moved it. The
 * gateway counts where the result names one, but not for a default route.
 */
export function verifyRoutes(
  container: Connection,
  link: PresentLink,
  routes: readonly Route[],
  losses: Losses,
): void {
  for (const family of FAMILIES) {
    const wanted = routes.filter((route) => route.dst.address.family === family);
    if (wanted.length === 0) continue;
    const missing = container.fold(
      dumpRoutes(family, { type: RTN_UNICAST }),
      () => byDestination(wanted),
      (missing, { payload }) => {
        const candidate = decodeRoute(payload);
        if (candidate.type !== RTN_UNICAST) return;
        const dst = formatPrefix(candidate.dst);
        const left = missing.get(dst)?.filter((route) => !matches(candidate, route));
        if (left !== undefined) missing.set(dst, left);
      },
    );
    for (const route of wanted) {
      if (!missing.get(formatPrefix(networkOf(route.dst)))?.includes(route)) continue;
      const via = route.gw === undefined ? "" : ` via ${formatIp(route.gw)}`;
      losses.report(
        `Expected Route ${formatPrefix(route.dst)}${via} not found in routing table of the container (interface ${link.name})`,
      );
    }
  }
}

/** Routes by the network that they lead to, in words. */
const byDestination = (routes: readonly Route[]): Map<string, Route[]> =>
  Map.groupBy(routes, ({ dst }) => formatPrefix(networkOf(dst)));

/** Whether the kernel's route is the wanted one to the same network. */
function matches(candidate: KernelRoute, wanted: Route): boolean {
  if (wanted.table !== undefined && wanted.table !== 0 && candidate.table !== wanted.table) return false;
  if (wanted.priority !== undefined && wanted.priority !== 0 && candidate.priority !== wanted.priority)
    return false;
  if (wanted.gw === undefined || wanted.dst.length === 0) return true;
  const { gw } = wanted;
  return gatewaysOf(candidate).some((gateway) => sameIp(gateway, gw));
}

/** The bridge, or the VLAN's gateway interface, still is the gateway of each address. */
export function verifyGateways(
  host: Connection,
  link: PresentLink,
  ips: readonly IpConfig[],
  forceAddress: boolean,
  losses: Losses,
): void {
  const gateways = ips.flatMap(({ address, gateway }) =>
    gateway === undefined ? [] : [{ address: gateway, length: address.length }],
  );
  const { missing, all } = addressesOn(host, link, gateways.map(formatPrefix));
  for (const [index, wanted] of gateways.entries()) {
    if (!missing.has(formatPrefix(wanted))) continue;
    // The one bridge address that there may be is that of the last gateway (B25).
    if (forceAddress && gateways.slice(index + 1).some((later) => replaces(later, wanted))) continue;
    losses.report(`gateway address ${formatPrefix(wanted)} is missing on ${link.name}: it has ${all.text}`);
  }
}

const replaces = (later: Prefix, earlier: Prefix): boolean =>
  later.address.family === earlier.address.family && (later.address.family === 4 || overlaps(later, earlier));
