/**
 * Refuses addresses and routes that the kernel would refuse or that could never work, with key, value and remedy (rule
 * K19). Runs before the first change, on the configuration alone, and again on the IPAM plugin's result before the
 * container is changed. Uncertain cases are left to the kernel. Pure.
 */
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { type IpAddress, isLoopback, isMulticast } from "../../net/ip.ts";
import { formatPrefix, hasFamily, type Prefix } from "../../net/prefix.ts";
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
import { ADDRESSING_KEYS, REPLACING_KEYS } from "./keys.ts";

const ROUTES = "ipam.routes";

type Given = Pick<Request, "config" | "args">;
type Settings = Pick<BridgeConfig, "mtu" | "isGateway" | "isDefaultGateway">;

/** Smallest mtu of a link with IPv6 (RFC 8200 section 5). The kernel has no IPv6 on a link with a smaller mtu. */
const IPV6_MTU = 1280;

/**
 * Verifies an IPAM section that has the form of host-local's or static's. Returns whether containers will get IPv6
 * addresses, as far as the section shows it.
 * @throws CniError code 7 with the key, the value found and the remedy.
 */
export function requireFeasibleConfiguration({ config, args }: Given, settings: Settings): boolean {
  const { json } = config;
  const ipam = get(json, "ipam");
  let keys: Parsed<typeof ADDRESSING_KEYS>;
  try {
    if (ipam === undefined) return false;
    const elsewhere = { document: json, variables: undefined };
    keys = parse(ADDRESSING_KEYS, ipam, "ipam", elsewhere);
    // The addresses of static are not the container's if the runtime sends others (S2).
    if (keys.addresses !== undefined && (args !== "" || parse(REPLACING_KEYS, json, "", elsewhere).ips))
      return false;
  } catch (error) {
    // The section is wrong, which the IPAM plugin will report.
    if (error instanceof KeyError) return false;
    throw error;
  }
  const { runtimeRanges = [], ranges = [], addresses = [], routes = [] } = keys;
  const ips: PlannedIp[] = [];
  const plan = (address: Prefix, gateway: IpAddress | undefined, at: string, key: "subnet" | "address") => {
    const ip: PlannedIp = { address, key: `${at}.${key}`, gatewayKey: `${at}.gateway` };
    // Without a key `gateway` the first address of the subnet is the gateway.
    if (gateway !== undefined) ip.gateway = gateway;
    else if (key === "subnet" || settings.isGateway) ip.gateway = firstAddress(address);
    ips.push(ip);
  };
  const planSets = (sets: typeof ranges, path: string) => {
    for (const [set, entries] of sets.entries())
      for (const [index, { subnet, gateway }] of entries.entries())
        plan(subnet, gateway, `${path}[${set}][${index}]`, "subnet");
  };
  planSets(runtimeRanges, "runtimeConfig.ipRanges");
  if (keys.subnet !== undefined) plan(keys.subnet, keys.gateway, "ipam", "subnet");
  planSets(ranges, "ipam.ranges");
  for (const [index, { address, gateway }] of addresses.entries())
    plan(address, gateway, `ipam.addresses[${index}]`, "address");
  requireFeasible({ ips, routes, routesKey: ROUTES, allocated: false }, settings);
  return hasFamily(ips, 6);
}

/** Verifies the IPAM plugin's result; `ips` are its addresses with their final gateways. @throws CniError as above. */
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
