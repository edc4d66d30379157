/** Plans gateways and routes from the IPAM plugin's result (rules B19, B20, B23, K18). Pure. */
import type { IpConfig, Result, Route } from "../../cni/result.ts";
import { gatewayOf, routeKey } from "../../links/routes.ts";
import type { IpAddress } from "../../net/ip.ts";
import { defaultPrefix, networkOf, type Prefix } from "../../net/prefix.ts";

/** Addresses, routes and gateways of an attachment. */
export interface Addressing {
  /** The container's addresses, with the index of its interface and their gateways. */
  readonly ips: IpConfig[];
  /** Routes for the container and the result. */
  readonly routes: Route[];
  /** Routes of a family of which the container has no address, so that nothing could use them (K18). */
  readonly leftOut: readonly Route[];
  /** Gateway addresses that the bridge needs, with the prefix length of the address they serve. */
  readonly gateways: readonly Prefix[];
}

/** @param containerInterface index of the container's interface in the result */
export function planAddressing(
  ipam: Result,
  { isGateway, isDefaultGateway }: { readonly isGateway: boolean; readonly isDefaultGateway: boolean },
  containerInterface: number,
): Addressing {
  const ips: IpConfig[] = [];
  const gateways: Prefix[] = [];
  const families = new Set<number>();
  for (const { address, gateway = isGateway ? firstAddress(address) : undefined } of ipam.ips) {
    const ip: IpConfig = { address, interface: containerInterface };
    if (gateway !== undefined) ip.gateway = gateway;
    if (isGateway && gateway !== undefined) gateways.push({ address: gateway, length: address.length });
    ips.push(ip);
    families.add(address.address.family);
  }
  const routes: Route[] = [];
  const leftOut: Route[] = [];
  const seen = new Set<string>();
  for (const route of ipam.routes) {
    const identity = `${routeKey(route, ips)} ${route.mtu ?? 0} ${route.advmss ?? 0}`;
    if (!families.has(route.dst.address.family)) leftOut.push(route);
    else if (!seen.has(identity)) routes.push(route);
    seen.add(identity);
  }
  if (!isDefaultGateway) return { ips, routes, leftOut, gateways };
  // In the order of the addresses, as callers that compare results expect.
  for (const { address } of ips) {
    const { family } = address.address;
    const gateway = families.delete(family) ? gatewayOf(ips, family) : undefined;
    // A default route without a gateway counts too: it gets the same gateway, so the two would clash (G13).
    const hasDefault = routes.some(({ dst }) => dst.length === 0 && dst.address.family === family);
    if (gateway !== undefined && !hasDefault) routes.push({ dst: defaultPrefix(family), gw: gateway });
  }
  return { ips, routes, leftOut, gateways };
}

/** First address of the network, which is the default gateway. */
export function firstAddress(prefix: Prefix): IpAddress {
  const { family, value } = networkOf(prefix).address;
  return { family, value: value + 1n };
}
