/** The commands of the static plugin that have something to do (rules S4, S6, S8). */
import { requirePrevResult } from "../../cni/config.ts";
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { reduceTo } from "../../cni/result-version.ts";
import { bits, formatIp, isMulticast, sameIp } from "../../net/ip.ts";
import { formatPrefix, lastAddress, networkOf, samePrefix } from "../../net/prefix.ts";
import { parseStatic, type StaticIp } from "./config.ts";

/** Reports the configured addresses. @throws KeyError, CniError code 4 or 7, 999 for a version that needs an address */
export function add(request: Request): Result {
  const { ips, routes, dns } = parseStatic(request);
  requireUsable(ips);
  const addresses = ips.map(({ key: _, ...ip }): IpConfig => ip);
  return reduceTo(request.config.cniVersion, { interfaces: [], ips: addresses, routes: [...routes], dns });
}

/** Verifies that prevResult has each address with its prefix length and its gateway. One error names all that differ. */
export function check(request: Request): void {
  const { ips } = parseStatic(request);
  const previous = requirePrevResult(request.config);
  const failures = new Failures();
  for (const ip of ips) {
    const problem = differenceFrom(previous.ips, ip);
    if (problem === undefined) continue;
    const text = formatIp(ip.address.address);
    failures.add(
      new CniError(
        code.internal,
        `static: Failed to match addr ${text} on interface ${request.ifname}: ${problem}`,
      ),
    );
  }
  failures.throwIfAny();
}

/** Verifies the configuration: no container can be added with a wrong one. @throws as add */
export function status(request: Request): void {
  requireUsable(parseStatic(request).ips);
}

/** How prevResult differs from what an address must be; undefined if it does not. */
function differenceFrom(found: readonly IpConfig[], { address, gateway, key }: StaticIp): string | undefined {
  const same = found.filter((ip) => sameIp(ip.address.address, address.address));
  const wanted = `${formatPrefix(address)} of ${key}`;
  if (same.length === 0) return `prevResult does not have ${wanted}`;
  const exact = same.filter((ip) => samePrefix(ip.address, address));
  if (exact.length === 0)
    return `prevResult has ${same.map((ip) => formatPrefix(ip.address)).join(", ")} instead of ${wanted}`;
  // Without a configured gateway, the interface plugin may have chosen one.
  if (gateway === undefined || exact.some((ip) => ip.gateway !== undefined && sameIp(ip.gateway, gateway)))
    return undefined;
  const gateways = exact.map((ip) => (ip.gateway === undefined ? "no gateway" : formatIp(ip.gateway)));
  return `prevResult has ${gateways.join(", ")} instead of ${formatIp(gateway)} as the gateway of ${wanted}`;
}

/** @throws CniError code 7 for the first address that no interface can have, or that is listed twice */
function requireUsable(ips: readonly StaticIp[]): void {
  for (const [index, ip] of ips.entries()) {
    const earlier = ips.slice(0, index).find((other) => samePrefix(other.address, ip.address));
    const problem = earlier === undefined ? problemOf(ip) : `is listed before, in ${earlier.key}; remove one`;
    if (problem === undefined) continue;
    throw new CniError(code.invalidConfig, `${ip.key}: ${formatPrefix(ip.address)} ${problem}`);
  }
}

/** Networks with at most two addresses have no address of their own (RFC 3021, RFC 6164). */
const isSmall = ({ address: { address, length } }: StaticIp): boolean => length >= bits(address.family) - 1;

function problemOf(ip: StaticIp): string | undefined {
  const { address: prefix, gateway } = ip;
  const { address } = prefix;
  const use = "use the address of an interface";
  if (isMulticast(address)) return `is a multicast address; ${use}`;
  if (address.value === 0n) return `is not an address; ${use}`;
  if (!isSmall(ip) && sameIp(address, networkOf(prefix).address))
    return `is the address of the network itself; ${use}`;
  if (!isSmall(ip) && address.family === 4 && sameIp(address, lastAddress(prefix)))
    return `is the broadcast address of its network; ${use}`;
  // A gateway outside the network is valid: hosts with a /32 need it.
  if (gateway !== undefined && gateway.family !== address.family)
    return `has gateway ${formatIp(gateway)}, which is IPv${gateway.family}; use one of IPv${address.family}`;
  return undefined;
}
