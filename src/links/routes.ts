/** Converts a container's routes into the kernel's form (rules B23, K19). Pure. */
import type { IpConfig, Route } from "../cni/result.ts";
import { type Family, formatIp, type IpAddress } from "../net/ip.ts";
import { formatPrefix, networkOf } from "../net/prefix.ts";
import { type Route as KernelRoute, MAIN_TABLE, SCOPE_LINK } from "../netlink/rtnetlink/route.ts";

/** The first gateway of a family, which routes without a gateway use. */
export function gatewayOf(ips: readonly IpConfig[], family: Family): IpAddress | undefined {
  for (const { address, gateway } of ips)
    if (gateway !== undefined && address.address.family === family) return gateway;
  return undefined;
}

/** The gateway for a route in the kernel: its own, or else the first of its family, or none for a route of link scope. */
export function effectiveGateway(route: Route, ips: readonly IpConfig[]): IpAddress | undefined {
  if (route.gw !== undefined) return route.gw;
  return (route.scope ?? 0) >= SCOPE_LINK ? undefined : gatewayOf(ips, route.dst.address.family);
}

/** IP6_RT_PRIO_USER: the kernel's priority for an IPv6 route that is added without one. */
const IPV6_PRIORITY = 1024;

/** A key that is equal for two routes if the kernel takes them for the same route, metrics aside (K19). */
export function routeKey(route: Route, ips: readonly IpConfig[]): string {
  const { dst, table, priority, scope } = route;
  const isIpv6 = dst.address.family === 6;
  const gateway = effectiveGateway(route, ips);
  return [
    formatPrefix(networkOf(dst)),
    gateway === undefined ? "" : formatIp(gateway),
    table || MAIN_TABLE,
    priority || (isIpv6 ? IPV6_PRIORITY : 0),
    isIpv6 ? 0 : scope,
  ].join(" ");
}

/** The kernel's form of a route through the interface with that index. */
export function kernelRoute(route: Route, ips: readonly IpConfig[], index: number): KernelRoute {
  const { dst, mtu, advmss, priority, table, scope } = route;
  const kernel: KernelRoute = { dst, index };
  const gateway = effectiveGateway(route, ips);
  if (gateway !== undefined) kernel.gateway = gateway;
  if (mtu) kernel.mtu = mtu;
  if (advmss) kernel.advmss = advmss;
  if (priority) kernel.priority = priority;
  if (table !== undefined) kernel.table = table;
  if (scope !== undefined) kernel.scope = scope;
  return kernel;
}
