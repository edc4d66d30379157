/** Writes a result in each version of the protocol (rules A21, A22). */
import { type Family, formatIp, type IpAddress } from "../net/ip.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";
import type { Result } from "./result.ts";
import { firstOf, reduceTo, routesOf } from "./result-version.ts";
import { atLeast, type Version } from "./version.ts";

/**
 * The result as one JSON document of a version and a newline, byte for byte as the reference prints it.
 * @throws CniError where the version can't express the result (see reduceTo).
 */
export function formatResult(result: Result, cniVersion: Version): string {
  const { interfaces: ends, ips: all, routes: ways, dns } = reduceTo(cniVersion, result);
  if (!atLeast(cniVersion, "0.3.0")) {
    const write = (family: Family) => {
      const ip = firstOf(family, all);
      const routes = written(routesOf(family, ways));
      return ip && { ip: formatPrefix(ip.address), gateway: ip.gateway && formatIp(ip.gateway), routes };
    };
    return print({ cniVersion, ip4: write(4), ip6: write(6), dns });
  }
  const interfaces = ends.length === 0 ? undefined : ends;
  const routes = written(ways);
  // The reference sorts the keys from 1.0.0 on.
  if (!atLeast(cniVersion, "1.0.0")) {
    const ips = all.map((ip) => ({ version: String(ip.address.address.family), ...ip }));
    return print({ cniVersion, interfaces, ips: written(ips), routes, dns });
  }
  const given = Object.keys(dns).length > 0 ? dns : undefined;
  return print({ cniVersion, dns: given, interfaces, ips: written(all), routes });
}

/** Indented like the reference's output. Keys without a value are left out. */
export const print = (document: object): string => `${JSON.stringify(document, undefined, 4)}\n`;

/** Parts with their addresses as text; undefined, which omits the key, when there are no parts. */
function written(parts: readonly object[]): object[] | undefined {
  const list: object[] = [];
  for (const part of parts) {
    const text: Record<string, unknown> = {};
    for (const [field, value] of Object.entries(part)) {
      const isPrefix = field === "address" || field === "dst";
      const isAddress = field === "gateway" || field === "gw";
      text[field] = isPrefix
        ? formatPrefix(value as Prefix)
        : isAddress
          ? formatIp(value as IpAddress)
          : value;
    }
    list.push(text);
  }
  return list.length === 0 ? undefined : list;
}
