/** From the IPAM's result to what the container and the bridge get: gateways and routes (rules B19, B20, B23). Pure. */
import type { IpConfig, Result, Route } from "../../cni/result.ts";
import type { Family, IpAddress } from "../../net/ip.ts";
import { defaultPrefix, networkOf, type Prefix } from "../../net/prefix.ts";
import type { BridgeConfig } from "./config.ts";

export interface Addressing {
  /** The container's addresses, with the index of its interface and their gateways. */
  readonly ips: IpConfig[];
  /** Routes as the result reports them. */
  readonly routes: Route[];
  /** Gateway addresses that the bridge needs, with the prefix length of the address they serve. */
  readonly gateways: readonly Prefix[];
}

export function planAddressing(ipam: Result, config: BridgeConfig, containerInterface: number): Addressing {
  const ips = ipam.ips.map((ip): IpConfig => {
    const gateway = ip.gateway ?? (config.isGateway ? firstAddress(ip.address) : undefined);
    return { address: ip.address, interface: containerInterface, ...(gateway !== undefined && { gateway }) };
  });
  const routes = [...ipam.routes];
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
  return { ips, routes, gateways };
}

/** First address of the network: the customary gateway. */
function firstAddress(prefix: Prefix): IpAddress {
  const { family, value } = networkOf(prefix).address;
  return { family, value: value + 1n };
}

/** The first gateway of a family: the one for routes that name none. */
export const gatewayOf = (ips: readonly IpConfig[], family: Family): IpAddress | undefined =>
  ips.find((ip) => ip.address.address.family === family && ip.gateway !== undefined)?.gateway;

/** Also one without a gateway counts: it will get ours, and two of them would clash (G13). */
const hasDefaultRoute = (routes: readonly Route[], family: Family): boolean =>
  routes.some(({ dst }) => dst.length === 0 && dst.address.family === family);

const SCOPE_LINK = 253;

/** The gateway that the kernel gets for a route: its own, else the family's first, none for a route of link scope. */
export function effectiveGateway(route: Route, ips: readonly IpConfig[]): IpAddress | undefined {
  if (route.gw !== undefined) return route.gw;
  return (route.scope ?? 0) >= SCOPE_LINK ? undefined : gatewayOf(ips, route.dst.address.family);
}
