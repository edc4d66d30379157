/** From the IPAM's result to what the container and the bridge get: gateways and routes (rules B19, B20, B23, K18). Pure. */
import type { IpConfig, Result, Route } from "../../cni/result.ts";
import { type Family, formatIp, type IpAddress } from "../../net/ip.ts";
import { defaultPrefix, formatPrefix, networkOf, type Prefix } from "../../net/prefix.ts";
import { MAIN_TABLE } from "../../netlink/rtnetlink/route.ts";
import type { BridgeConfig } from "./config.ts";

export interface Addressing {
  /** The container's addresses, with the index of its interface and their gateways. */
  readonly ips: IpConfig[];
  /** Routes as the result reports them. */
  readonly routes: Route[];
  /** Routes of a family of which the container has no address: nothing could use them (K18). */
  readonly leftOut: readonly Route[];
  /** Gateway addresses that the bridge needs, with the prefix length of the address they serve. */
  readonly gateways: readonly Prefix[];
}

export function planAddressing(ipam: Result, config: BridgeConfig, containerInterface: number): Addressing {
  const ips = ipam.ips.map((ip): IpConfig => {
    const gateway = ip.gateway ?? (config.isGateway ? firstAddress(ip.address) : undefined);
    return { address: ip.address, interface: containerInterface, ...(gateway !== undefined && { gateway }) };
  });
  const routes: Route[] = [];
  const leftOut: Route[] = [];
  const seen = new Set<string>();
  for (const route of ipam.routes) {
    const identity = `${wayOf(route, ips)} ${route.mtu ?? 0} ${route.advmss ?? 0}`;
    if (!ips.some(({ address }) => address.address.family === route.dst.address.family)) leftOut.push(route);
    else if (!seen.has(identity)) routes.push(route);
    seen.add(identity);
  }
  if (config.isDefaultGateway) {
    // In the order of the addresses, as callers that compare results expect.
    for (const family of new Set(ips.map(({ address }) => address.address.family))) {
      const gateway = gatewayOf(ips, family);
      if (gateway !== undefined && !hasDefaultRoute(routes, family))
        routes.push({ dst: defaultPrefix(family), gw: gateway });
    }
  }
  const gateways: Prefix[] = [];
  for (const { address, gateway } of ips) {
    if (config.isGateway && gateway !== undefined)
      gateways.push({ address: gateway, length: address.length });
  }
  return { ips, routes, leftOut, gateways };
}

/** First address of the network: the customary gateway. */
export function firstAddress(prefix: Prefix): IpAddress {
  const { family, value } = networkOf(prefix).address;
  return { family, value: value + 1n };
}

/** The first gateway of a family: the one for routes that name none. */
export const gatewayOf = (ips: readonly IpConfig[], family: Family): IpAddress | undefined =>
  ips.find((ip) => ip.address.address.family === family && ip.gateway !== undefined)?.gateway;

/** Also one without a gateway counts: it will get ours, and two of them would clash (G13). */
const hasDefaultRoute = (routes: readonly Route[], family: Family): boolean =>
  routes.some(({ dst }) => dst.length === 0 && dst.address.family === family);

/** RT_SCOPE_LINK of uapi linux/rtnetlink.h: the destination is on the link itself. */
export const SCOPE_LINK = 253;

/** The gateway that the kernel gets for a route: its own, else the family's first, none for a route of link scope. */
export function effectiveGateway(route: Route, ips: readonly IpConfig[]): IpAddress | undefined {
  if (route.gw !== undefined) return route.gw;
  return (route.scope ?? 0) >= SCOPE_LINK ? undefined : gatewayOf(ips, route.dst.address.family);
}

/** IP6_RT_PRIO_USER: what the kernel makes of an IPv6 route without a priority. */
const IPV6_PRIORITY = 1024;

/**
 * What makes a route another one to the kernel, but for its metrics. A route that is listed twice is one (K19).
 */
export function wayOf(route: Route, ips: readonly IpConfig[]): string {
  const { dst, table, priority, scope } = route;
  const { family } = dst.address;
  const gateway = effectiveGateway(route, ips);
  return [
    formatPrefix(networkOf(dst)),
    gateway === undefined ? "" : formatIp(gateway),
    table || MAIN_TABLE,
    priority || (family === 6 ? IPV6_PRIORITY : 0),
    family === 6 ? 0 : scope,
  ].join(" ");
}
