/**
 * What the kernel would refuse of a network's addresses and routes, or what could never work: reported with key, value and
 * remedy (rule K19). Once from the configuration alone, before anything is touched, and once with what the IPAM gave,
 * before the container is. Pure. What is not certain is left to the kernel.
 */
import { CniError } from "../../cni/error.ts";
import { arrayOf, JsonObject } from "../../cni/json-object.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { parseRoute } from "../../cni/result-parse.ts";
import { isLoopback, isMulticast, parseIp } from "../../net/ip.ts";
import { formatPrefix, parsePrefix } from "../../net/prefix.ts";
import { firstAddress } from "./addressing.ts";
import type { BridgeConfig } from "./config.ts";
import {
  invalid,
  type Plan,
  type PlannedIp,
  requireFeasibleRoutes,
  requireUsable,
} from "./feasible-routes.ts";

const ROUTES = "ipam.routes";

type Settings = Pick<BridgeConfig, "mtu" | "isGateway" | "isDefaultGateway">;

/** Least mtu of a link that carries IPv6 (RFC 8200 section 5): the kernel has no IPv6 on a smaller one. */
const IPV6_MTU = 1280;

/**
 * Looks at what the configuration says, as far as its IPAM section has the form of host-local's or static's.
 * @throws CniError code 7 naming the key, the value found, and the remedy.
 */
export function requireFeasibleConfiguration(json: JsonObject, settings: Settings): void {
  const plan = configured(json, settings);
  if (plan !== undefined) requireFeasible(plan, settings);
}

/** Whether the configuration shows that containers get IPv6 addresses. */
export const wantsIpv6 = (json: JsonObject, settings: Settings): boolean =>
  configured(json, settings)?.ips.some(({ address }) => address.address.family === 6) ?? false;

/** Looks at what the IPAM gave; `ips` are its addresses with the gateways that they will have. @throws CniError as above. */
export function requireFeasibleResult(
  json: JsonObject,
  leased: Result,
  ips: readonly IpConfig[],
  settings: Settings,
): void {
  const { routes } = leased;
  const configuredRoutes = json.object("ipam")?.get("routes");
  const isConfigured = Array.isArray(configuredRoutes) && configuredRoutes.length === routes.length;
  const routesKey = isConfigured ? ROUTES : "routes in the result of the IPAM plugin";
  const named = ips.map((ip): PlannedIp => {
    const key = `address ${formatPrefix(ip.address)} of the IPAM plugin`;
    return { ...ip, key, gatewayKey: `gateway of ${key}` };
  });
  requireFeasible({ ips: named, routes, routesKey, allocated: true }, settings);
}

/** Undefined where there is no address to be seen, or the section is wrong: the IPAM plugin will say how. */
function configured(json: JsonObject, settings: Settings): Plan | undefined {
  const ipam = json.object("ipam");
  if (ipam === undefined) return undefined;
  const ranges = (object: JsonObject | undefined, key: string): JsonObject[] =>
    object
      ?.array(key, (set, path) => arrayOf(set, path, (range, at) => JsonObject.from(range, at)))
      ?.flat() ?? [];
  try {
    const subnets = [
      ...ranges(json.object("runtimeConfig"), "ipRanges"),
      ...(ipam.string("subnet") === undefined ? [] : [ipam]),
      ...ranges(ipam, "ranges"),
    ];
    const addresses = ipam.array("addresses", JsonObject.from) ?? [];
    const ips = [
      ...subnets.map((entry) => planned(entry, "subnet", true)),
      ...addresses.map((entry) => planned(entry, "address", settings.isGateway)),
    ];
    const routes = ipam.array("routes", parseRoute) ?? [];
    return ips.length === 0 ? undefined : { ips, routes, routesKey: ROUTES, allocated: false };
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

/** With `usual`, an address without a gateway has the first one of its network. @throws CniError */
function planned(entry: JsonObject, key: string, usual: boolean): PlannedIp {
  const address = parsePrefix(entry.string(key) ?? "");
  const text = entry.string("gateway") ?? "";
  const given = parseIp(text);
  if (address === undefined || (text !== "" && given === undefined)) throw invalid(entry.at(key), "", "");
  const gateway = given ?? (usual ? firstAddress(address) : undefined);
  const keys = { key: entry.at(key), gatewayKey: entry.at("gateway") };
  return { address, ...(gateway !== undefined && { gateway }), ...keys };
}

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
