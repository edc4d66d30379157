/**
 * What the kernel would refuse of a network's addresses and routes, or what could never work: reported with key, value and
 * remedy (rule K19). Once from the configuration alone, before anything is touched, and once with what the IPAM gave,
 * before the container is. Pure. What is not certain is left to the kernel.
 */
import type { IpConfig, Result } from "../../cni/result.ts";
import { isLoopback, isMulticast } from "../../net/ip.ts";
import { formatPrefix } from "../../net/prefix.ts";
import { KeyError } from "../../schema/key-error.ts";
import type { Document, Parsed } from "../../schema/keys.ts";
import { get, objectOf, parse } from "../../schema/parse.ts";
import { firstAddress } from "./addressing.ts";
import type { BridgeConfig } from "./config.ts";
import {
  invalid,
  type Plan,
  type PlannedIp,
  requireFeasibleRoutes,
  requireUsable,
} from "./feasible-routes.ts";
import { ADDRESSING_KEYS, type ENTRY_KEYS } from "./keys.ts";

const ROUTES = "ipam.routes";

type Settings = Pick<BridgeConfig, "mtu" | "isGateway" | "isDefaultGateway">;

/** Least mtu of a link that carries IPv6 (RFC 8200 section 5): the kernel has no IPv6 on a smaller one. */
const IPV6_MTU = 1280;

/**
 * Looks at what the configuration says, as far as its IPAM section has the form of host-local's or static's.
 * @throws CniError code 7 naming the key, the value found, and the remedy.
 */
export function requireFeasibleConfiguration(json: Document, settings: Settings): void {
  const plan = configured(json, settings);
  if (plan !== undefined) requireFeasible(plan, settings);
}

/** Whether the configuration shows that containers get IPv6 addresses. */
export const wantsIpv6 = (json: Document, settings: Settings): boolean =>
  configured(json, settings)?.ips.some(({ address }) => address.address.family === 6) ?? false;

/** Looks at what the IPAM gave; `ips` are its addresses with the gateways that they will have. @throws CniError as above. */
export function requireFeasibleResult(
  json: Document,
  leased: Result,
  ips: readonly IpConfig[],
  settings: Settings,
): void {
  const { routes } = leased;
  const configuredRoutes = get(objectOf(get(json, "ipam"), "ipam"), "routes");
  const isConfigured = Array.isArray(configuredRoutes) && configuredRoutes.length === routes.length;
  const routesKey = isConfigured ? ROUTES : "routes in the result of the IPAM plugin";
  const named = ips.map((ip): PlannedIp => {
    const key = `address ${formatPrefix(ip.address)} of the IPAM plugin`;
    return { ...ip, key, gatewayKey: `gateway of ${key}` };
  });
  requireFeasible({ ips: named, routes, routesKey, allocated: true }, settings);
}

/** Undefined where there is no address to be seen, or the section is wrong: the IPAM plugin will say how. */
function configured(json: Document, settings: Settings): Plan | undefined {
  const ipam = get(json, "ipam");
  if (ipam === undefined) return undefined;
  let keys: Parsed<typeof ADDRESSING_KEYS>;
  try {
    keys = parse(ADDRESSING_KEYS, ipam, "ipam", { document: json, variables: undefined });
  } catch (error) {
    if (error instanceof KeyError) return undefined;
    throw error;
  }
  const ips: PlannedIp[] = [];
  const { runtimeRanges = [], ranges = [], addresses = [], routes = [] } = keys;
  const plan = (entries: readonly Entry[], path: string, isList = true) => {
    for (let index = 0; index < entries.length; index++) {
      const { subnet, address = subnet, gateway: given } = entries[index] as Entry;
      if (address === undefined) continue;
      const at = isList ? `${path}[${index}]` : path;
      // Of a subnet the first address is the gateway where none is given.
      const isUsual = subnet !== undefined || settings.isGateway;
      const gateway = given ?? (isUsual ? firstAddress(address) : undefined);
      const key = `${at}.${subnet === undefined ? "address" : "subnet"}`;
      ips.push({ address, ...(gateway !== undefined && { gateway }), key, gatewayKey: `${at}.gateway` });
    }
  };
  for (let set = 0; set < runtimeRanges.length; set++)
    plan(runtimeRanges[set] ?? [], `runtimeConfig.ipRanges[${set}]`);
  if (keys.subnet !== undefined) plan([keys], "ipam", false);
  for (let set = 0; set < ranges.length; set++) plan(ranges[set] ?? [], `ipam.ranges[${set}]`);
  plan(addresses, "ipam.addresses");
  return ips.length === 0 ? undefined : { ips, routes, routesKey: ROUTES, allocated: false };
}

type Entry = Parsed<typeof ENTRY_KEYS>;

function requireFeasible(plan: Plan, settings: Settings): void {
  const { ips } = plan;
  const { mtu } = settings;
  for (const ip of ips) {
    const { address } = ip.address;
    const { family } = address;
    if (family === 6 && mtu !== undefined && mtu < IPV6_MTU) {
      throw invalid(
        "mtu",
        `${mtu} is too small for ${formatPrefix(ip.address)}: IPv6 needs ${IPV6_MTU} bytes at least`,
        `use ${IPV6_MTU} or more, or take the IPv6 ranges out`,
      );
    }
    if (family === 6 && (isMulticast(address) || isLoopback(address))) {
      throw invalid(
        ip.key,
        `${formatPrefix(ip.address)} is ${isMulticast(address) ? "a multicast" : "the loopback"} address, which no interface of a container can have`,
        "use a unicast network",
      );
    }
    if (settings.isGateway && ip.gateway !== undefined) requireUsable(ip.gatewayKey, ip.gateway, ip.address);
  }
  requireFeasibleRoutes(plan, settings.isDefaultGateway);
}
