/** Reduces a result to what a version of the protocol can express (rules A21, A22). */
import { FAMILIES, type Family } from "../net/ip.ts";
import { CniError, code } from "./error.ts";
import type { IpConfig, Result, Route } from "./result.ts";
import { atLeast, type Version } from "./version.ts";

/** Fields of each part, in the reference's order. From 1.0.0 on they are sorted. */
const INTERFACE = ["name", "mac", "sandbox"] as const;
const INTERFACE_100 = ["mac", "name", "sandbox"] as const;
const INTERFACE_110 = ["mac", "mtu", "name", "pciID", "sandbox", "socketPath"] as const;
const IP = ["interface", "address", "gateway"] as const;
const IP_100 = ["address", "gateway", "interface"] as const;
const ROUTE_010 = ["dst", "gw"] as const;
/** In the specification `mtu` and later fields came with 1.1.0, but libcni writes them from 0.3.0 on. */
const ROUTE = ["dst", "gw", "mtu", "advmss", "priority", "table", "scope"] as const;
const ROUTE_100 = ["advmss", "dst", "gw", "mtu", "priority", "scope", "table"] as const;
const DNS = ["nameservers", "domain", "search", "options"] as const;
const DNS_100 = ["domain", "nameservers", "options", "search"] as const;

/** In these fields 0 is a value; an MTU, MSS or priority of 0 counts as absent. */
const ZERO_COUNTS = ["interface", "table", "scope"];

/** The fields of each part that have a value: no empty text or list. */
function reduced<T extends object>(parts: readonly T[], fields: readonly (keyof T & string)[]): T[] {
  const list: T[] = [];
  for (const part of parts) {
    const result: Partial<T> = {};
    for (const field of fields) {
      const value = part[field];
      if (value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) continue;
      if (value !== 0 || ZERO_COUNTS.includes(field)) result[field] = value;
    }
    list.push(result as T);
  }
  return list;
}

/**
 * The part of a result that a version can express, without empty fields, in the order of writing. It equals what parsing
 * the formatted result gives.
 * @throws CniError code 999 for 0.1.0 and 0.2.0 when there is no address.
 */
export function reduceTo(version: Version, { interfaces, ips, routes, dns }: Result): Result {
  const isSorted = atLeast(version, "1.0.0");
  const [ofDns = {}] = reduced([dns], isSorted ? DNS_100 : DNS);
  if (atLeast(version, "0.3.0")) {
    const ofInterface = atLeast(version, "1.1.0") ? INTERFACE_110 : isSorted ? INTERFACE_100 : INTERFACE;
    return {
      interfaces: reduced(interfaces, ofInterface),
      ips: reduced(ips, isSorted ? IP_100 : IP),
      routes: reduced(routes, isSorted ? ROUTE_100 : ROUTE),
      dns: ofDns,
    };
  }
  const result: Result = { interfaces: [], ips: [], routes: [], dns: ofDns };
  for (const family of FAMILIES) {
    const ip = firstOf(family, ips);
    if (ip === undefined) continue;
    for (const part of reduced([ip], ["address", "gateway"])) result.ips.push(part);
    for (const part of reduced(routesOf(family, routes), ROUTE_010)) result.routes.push(part);
  }
  if (result.ips.length > 0) return result;
  throw new CniError(code.internal, "cannot convert: no valid IP addresses", "", {
    remark: `a result of version ${version} needs an address; a configuration of 0.3.0 or later does not`,
  });
}

/** The first address of a family. Versions before 0.3.0 can express only one per family. */
export const firstOf = (family: Family, ips: readonly IpConfig[]): IpConfig | undefined =>
  ips.find(({ address }) => address.address.family === family);

/** The routes of a family. */
export const routesOf = (family: Family, routes: readonly Route[]): Route[] =>
  routes.filter(({ dst }) => dst.address.family === family);

/**
 * Refuses addresses of which a result before 0.3.0 could only report some: it has room for one of each family (rule H44).
 * `what` names in the remedy what gives the addresses. @throws CniError code 7
 */
export function refuseSeveralOfAFamily(version: Version, families: readonly Family[], what: string): void {
  if (atLeast(version, "0.3.0")) return;
  for (const family of FAMILIES) {
    const count = families.filter((each) => each === family).length;
    if (count < 2) continue;
    const problem = `CNI version ${version} does not support more than 1 address per family`;
    throw new CniError(code.invalidConfig, problem, "", {
      remark: `${count} ${what} are IPv${family}; use cniVersion 0.3.0 or later`,
    });
  }
}
