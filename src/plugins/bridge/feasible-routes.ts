/** Refuses routes and gateways that the kernel would refuse or that could never work (rule K19). Pure. */
import { CniError, code } from "../../cni/error.ts";
import type { IpConfig, Route } from "../../cni/result.ts";
import { effectiveGateway, routeKey } from "../../links/routes.ts";
import {
  bits,
  FAMILIES,
  formatIp,
  type IpAddress,
  isLinkLocal,
  isLoopback,
  isMulticast,
  sameIp,
} from "../../net/ip.ts";
import {
  contains,
  defaultPrefix,
  formatPrefix,
  hasFamily,
  lastAddress,
  networkOf,
  type Prefix,
} from "../../net/prefix.ts";
import { MAIN_TABLE, SCOPE_LINK } from "../../netlink/rtnetlink/route.ts";

/** An address with its gateway, and the keys that error messages name for them. */
export interface PlannedIp extends IpConfig {
  readonly key: string;
  readonly gatewayKey: string;
}

/** Addresses and routes to verify. */
export interface Plan {
  readonly ips: readonly PlannedIp[];
  readonly routes: readonly Route[];
  readonly routesKey: string;
  /** Whether `ips` are the container's addresses. If not, they are the networks from which it will get addresses. */
  readonly allocated: boolean;
}

/** @throws CniError code 7 for the first route that cannot work. */
export function requireFeasibleRoutes(plan: Plan, isDefaultGateway: boolean): void {
  const { ips, routes, routesKey } = plan;
  /** Destinations of routes without a gateway, with their table (directKey). */
  const direct = new Set<string>();
  /** IPv6 routes and their keys, by routeKey. */
  const seen = new Map<string, readonly [key: string, route: Route]>();
  for (let index = 0; index < routes.length; index++) {
    const route = routes[index];
    // A route of a family without an address is left out (K18).
    if (route === undefined || !hasFamily(ips, route.dst.address.family)) continue;
    const key = `${routesKey}[${index}]`;
    requireValidRoute(key, route);
    requireReachable(plan, route, direct, `${key}.gw`);
    const isIpv6 = route.dst.address.family === 6;
    if (isIpv6) {
      const same = routeKey(route, ips);
      const [otherKey, other] = seen.get(same) ?? [key, route];
      seen.set(same, [otherKey, other]);
      requireSameMetrics(key, route, otherKey, other);
    }
    // A later gateway may be in the destination of a route without a gateway.
    if ((isIpv6 || (route.scope ?? 0) >= SCOPE_LINK) && effectiveGateway(route, ips) === undefined)
      direct.add(directKey(tableOf(route), networkOf(route.dst)));
  }
  if (!isDefaultGateway) return;
  for (const family of FAMILIES)
    if (hasFamily(ips, family))
      requireReachable(plan, { dst: defaultPrefix(family) }, direct, "isDefaultGateway");
}

/** Largest values of a route's fields, which have one byte or four in the kernel's messages. */
const MOST = [
  ["scope", 0xff],
  ["priority", 0xffffffff],
  ["table", 0xffffffff],
  ["mtu", 0xffffffff],
  ["advmss", 0xffffffff],
] as const;
const SCOPE_NOWHERE = 255;

function requireValidRoute(key: string, route: Route): void {
  const { dst, gw, scope = 0 } = route;
  const { family } = dst.address;
  const network = networkOf(dst);
  // For IPv6 the kernel ignores host bits.
  if (family === 4 && !sameIp(network.address, dst.address))
    throw invalid(`${key}.dst`, `${formatPrefix(dst)} has host bits set`, `use ${formatPrefix(network)}`);
  if (gw !== undefined && gw.family !== family) {
    throw invalid(
      `${key}.gw`,
      `${formatIp(gw)} is an IPv${gw.family} address, and the destination ${formatPrefix(dst)} is IPv${family}`,
      `use an IPv${family} gateway, or leave gw out`,
    );
  }
  for (const [field, most] of MOST) {
    const value = route[field] ?? 0;
    if (value < 0 || value > most)
      throw invalid(`${key}.${field}`, `${value} is out of range`, `use 0 to ${most}`);
  }
  if (family === 6) return;
  if (scope === SCOPE_NOWHERE)
    throw invalid(`${key}.scope`, `${scope} means that the destination does not exist`, "use 0 or 253");
  if (scope >= SCOPE_LINK && gw !== undefined && gw.value !== 0n) {
    throw invalid(
      `${key}.scope`,
      `${scope} is for destinations on the link itself, which have no gateway, and gw is ${formatIp(gw)}`,
      "leave out scope or gw",
    );
  }
}

/** Verifies that the route's gateway can be a router's address, and that the container reaches it directly. */
function requireReachable(plan: Plan, route: Route, direct: ReadonlySet<string>, key: string): void {
  const { ips, allocated } = plan;
  const { family } = route.dst.address;
  const gateway = effectiveGateway(route, ips);
  // 0.0.0.0 means no gateway, too.
  if (gateway === undefined || (family === 4 && gateway.value === 0n)) return;
  const own: PlannedIp[] = [];
  let source: PlannedIp | undefined;
  for (const ip of ips) {
    if (ip.address.address.family !== family) continue;
    own.push(ip);
    if (ip.gateway !== undefined) source ??= ip;
  }
  // With several networks it is not known yet which one gives the address and thus the gateway.
  if (route.gw === undefined && own.length > 1 && !allocated) return;
  const place = route.gw === undefined && source !== undefined ? source.gatewayKey : key;
  let isOwn = false;
  let isInNetwork = false;
  for (const { address } of own) {
    requireUsable(place, gateway, address);
    if (sameIp(address.address, gateway)) isOwn = true;
    if (contains(address, gateway)) isInNetwork = true;
  }
  if (own.length === 0) requireUsable(place, gateway);
  if (family === 6 && isLinkLocal(gateway)) return;
  if (family === 6 && allocated && isOwn)
    throw invalid(place, `${formatIp(gateway)} is the container's own address`, "use another gateway");
  if (isInNetwork || leadsTo(direct, gateway, tableOf(route))) return;
  const networks = own.map(({ address }) => formatPrefix(networkOf(address))).join(", ");
  throw invalid(
    place,
    `gateway ${formatIp(gateway)} of the route to ${formatPrefix(route.dst)} is not in a network of the container (${networks})`,
    `use a gateway in such a network, or put a route to ${formatIp(gateway)}/${family === 4 ? 32 : 128} with "scope": 253 before it`,
  );
}

/** The main table (0 means it, too) and the other tables that the kernel looks up for each packet. */
const FOR_EACH_PACKET: readonly number[] = [0, 253, MAIN_TABLE, 255];

const tableOf = ({ table = 0 }: Route): number => (FOR_EACH_PACKET.includes(table) ? MAIN_TABLE : table);

const directKey = (table: number, network: Prefix): string => `${table} ${formatPrefix(network)}`;

/** Whether a route without a gateway leads to the address, in the new route's table or the main one, as the kernel looks. */
function leadsTo(direct: ReadonlySet<string>, address: IpAddress, table: number): boolean {
  for (let length = 0; direct.size > 0 && length <= bits(address.family); length++) {
    const network = networkOf({ address, length });
    if (direct.has(directKey(table, network)) || direct.has(directKey(MAIN_TABLE, network))) return true;
  }
  return false;
}

/** Verifies that a router can have the address. @throws CniError */
export function requireUsable(key: string, gateway: IpAddress, network?: Prefix): void {
  const what = otherKindOf(gateway, network);
  if (what === undefined) return;
  const remedy = "use the address of a router in the container's network";
  throw invalid(key, `gateway ${formatIp(gateway)} is ${what}`, remedy);
}

/** The kind of an address that no router can have, in words; undefined if a router can have it. */
function otherKindOf(gateway: IpAddress, network: Prefix | undefined): string | undefined {
  // The kernel accepts multicast and loopback addresses of IPv4 on an interface.
  const inside = gateway.family === 4 && network !== undefined && contains(network, gateway);
  if (!inside && isMulticast(gateway)) return "a multicast address";
  if (!inside && isLoopback(gateway)) return "a loopback address";
  if (gateway.family === 6 && gateway.value === 0n) return "the unspecified address";
  if (network === undefined) return undefined;
  const whole = networkOf(network);
  if (network.address.family !== gateway.family)
    return `an IPv${gateway.family} address, and its network ${formatPrefix(whole)} is IPv${network.address.family}`;
  // A network of one or two addresses has no broadcast and no network address (RFC 3021).
  if (gateway.family === 6 || network.length > 30) return undefined;
  if (sameIp(gateway, lastAddress(network))) return `the broadcast address of ${formatPrefix(whole)}`;
  return sameIp(gateway, whole.address) ? `the network address of ${formatPrefix(whole)}` : undefined;
}

/** IPv6 has only one route for a destination, gateway, table and priority, so it can't have two sets of metrics. */
function requireSameMetrics(key: string, route: Route, otherKey: string, other: Route): void {
  for (const field of ["mtu", "advmss"] as const) {
    const [first, second] = [other[field] ?? 0, route[field] ?? 0];
    if (first === second) continue;
    throw invalid(
      `${key}.${field}`,
      `${second} contradicts ${otherKey}, which is the same route with ${first}`,
      "keep one of them",
    );
  }
}

/** The error for a key whose value is not possible. */
export const invalid = (key: string, problem: string, remedy: string): CniError =>
  new CniError(code.invalidConfig, `${key}: ${problem}; ${remedy}`);
