/**
 * What the kernel would refuse of a network's addresses and routes, or what could never work: reported with key, value and
 * remedy (rule K19). Once from the configuration alone, before anything is touched, and once with what the IPAM gave,
 * before the container is. Pure. What is not certain is left to the kernel.
 */
import type { IpConfig, Result } from "../../cni/result.ts";
import { isLoopback, isMulticast } from "../../net/ip.ts";
import { formatPrefix, hasFamily } from "../../net/prefix.ts";
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
 * Looks at what the configuration says, as far as its IPAM section has the form of host-local's or static's. Returns whether
 * it shows that containers get IPv6 addresses.
 * @throws CniError code 7 naming the key, the value found, and the remedy.
 */
export function requireFeasibleConfiguration(json: Document, settings: Settings): boolean {
  const ipam = get(json, "ipam");
  let keys: Parsed<typeof ADDRESSING_KEYS>;
  try {
    if (ipam === undefined) return false;
    keys = parse(ADDRESSING_KEYS, ipam, "ipam", { document: json, variables: undefined });
  } catch (error) {
    // The section is wrong: the IPAM plugin will say how.
    if (error instanceof KeyError) return false;
    throw error;
  }
  const { runtimeRanges = [], ranges = [], addresses = [], routes = [] } = keys;
  const ips: PlannedIp[] = [];
  const plan = (entry: Entry, at: string) => {
    const { subnet, address = subnet, gateway } = entry;
    if (address === undefined) return;
    const ip: PlannedIp = {
      address,
      key: `${at}.${subnet ? "subnet" : "address"}`,
      gatewayKey: `${at}.gateway`,
    };
    // Of a subnet the first address is the gateway where none is given.
    if (gateway !== undefined) ip.gateway = gateway;
    else if (subnet !== undefined || settings.isGateway) ip.gateway = firstAddress(address);
    ips.push(ip);
  };
  const planAll = (entries: readonly Entry[], path: string) => {
    for (let index = 0; index < entries.length; index++) plan(entries[index] as Entry, `${path}[${index}]`);
  };
  for (let set = 0; set < runtimeRanges.length; set++)
    planAll(runtimeRanges[set] ?? [], `runtimeConfig.ipRanges[${set}]`);
  if (keys.subnet !== undefined) plan(keys, "ipam");
  for (let set = 0; set < ranges.length; set++) planAll(ranges[set] ?? [], `ipam.ranges[${set}]`);
  planAll(addresses, "ipam.addresses");
  requireFeasible({ ips, routes, routesKey: ROUTES, allocated: false }, settings);
  return hasFamily(ips, 6);
}

/** Looks at what the IPAM gave; `ips` are its addresses with the gateways that they will have. @throws CniError as above. */
export function requireFeasibleResult(
  json: Document,
  { routes }: Result,
  ips: readonly IpConfig[],
  settings: Settings,
): void {
  const configured = get(objectOf(get(json, "ipam"), "ipam"), "routes");
  const isConfigured = Array.isArray(configured) && configured.length === routes.length;
  const routesKey = isConfigured ? ROUTES : "routes in the result of the IPAM plugin";
  const named: PlannedIp[] = [];
  for (const ip of ips) {
    const key = `address ${formatPrefix(ip.address)} of the IPAM plugin`;
    named.push({ ...ip, key, gatewayKey: `gateway of ${key}` });
  }
  requireFeasible({ ips: named, routes, routesKey, allocated: true }, settings);
}

type Entry = Parsed<typeof ENTRY_KEYS>;

function requireFeasible(plan: Plan, { mtu, isGateway, isDefaultGateway }: Settings): void {
  for (const ip of plan.ips) {
    if (ip.address.address.family === 6) requireFeasibleIpv6(ip, mtu);
    if (isGateway && ip.gateway !== undefined) requireUsable(ip.gatewayKey, ip.gateway, ip.address);
  }
  requireFeasibleRoutes(plan, isDefaultGateway);
}

function requireFeasibleIpv6({ address: prefix, key }: PlannedIp, mtu = IPV6_MTU): void {
  const text = formatPrefix(prefix);
  if (mtu < IPV6_MTU) {
    throw invalid(
      "mtu",
      `${mtu} is too small for ${text}: IPv6 needs ${IPV6_MTU} bytes at least`,
      `use ${IPV6_MTU} or more, or take the IPv6 ranges out`,
    );
  }
  const { address } = prefix;
  const what = isMulticast(address) ? "a multicast" : isLoopback(address) ? "the loopback" : undefined;
  if (what === undefined) return;
  const problem = `${text} is ${what} address, which no interface of a container can have`;
  throw invalid(key, problem, "use a unicast network");
}
