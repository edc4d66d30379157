/** Writes a result in each version of the protocol (rules A21, A22). */
import { type Family, formatIp } from "../net/ip.ts";
import { formatPrefix } from "../net/prefix.ts";
import type { IpConfig, Result, Route } from "./result.ts";
import { reduceTo } from "./result-version.ts";
import { atLeast, type Version } from "./version.ts";

/**
 * The result as one JSON document of a version, byte for byte as the reference prints it, and a newline.
 * A plugin calls it before it commits: what can't be written must not be done.
 * @throws CniError where the version can't express the result (see reduceTo).
 */
export function formatResult(result: Result, version: Version): string {
  const reduced = reduceTo(version, result);
  // The reference sorts the keys from 1.0.0 on.
  if (atLeast(version, "1.0.0")) return print(current(reduced, version), sortKeys);
  return print(atLeast(version, "0.3.0") ? from030(reduced, version) : from010(reduced, version));
}

/** Indented like the reference's output. Keys without a value are left out. */
export const print = (document: object, replacer?: (key: string, value: unknown) => unknown): string =>
  `${JSON.stringify(document, replacer, 4)}\n`;

const current = ({ interfaces, ips, routes, dns }: Result, cniVersion: Version) => ({
  cniVersion,
  interfaces: unlessEmpty(interfaces),
  ips: unlessEmpty(ips.map(writeIp)),
  routes: unlessEmpty(routes.map(writeRoute)),
  dns: Object.keys(dns).length > 0 ? dns : undefined,
});

const from030 = (result: Result, cniVersion: Version) => ({
  ...current(result, cniVersion),
  ips: unlessEmpty(result.ips.map((ip) => ({ version: String(familyOf(ip)), ...writeIp(ip) }))),
  dns: result.dns,
});

function from010({ ips, routes, dns }: Result, cniVersion: Version) {
  const write = (family: Family) => {
    const ip = ips.find((each) => familyOf(each) === family);
    const ofFamily = routes.filter((route) => route.dst.address.family === family);
    return (
      ip && {
        ip: formatPrefix(ip.address),
        gateway: ip.gateway && formatIp(ip.gateway),
        routes: unlessEmpty(ofFamily.map(writeRoute)),
      }
    );
  };
  return { cniVersion, ip4: write(4), ip6: write(6), dns };
}

const familyOf = (ip: IpConfig): Family => ip.address.address.family;

const writeIp = (ip: IpConfig) => ({
  ...ip,
  address: formatPrefix(ip.address),
  gateway: ip.gateway && formatIp(ip.gateway),
});

const writeRoute = (route: Route) => ({
  ...route,
  dst: formatPrefix(route.dst),
  gw: route.gw && formatIp(route.gw),
});

const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined);

/** A replacer for JSON.stringify. */
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const sorted: Record<string, unknown> = {};
  const source = value as Record<string, unknown>;
  for (const key of Object.keys(source).sort()) sorted[key] = source[key];
  return sorted;
}
