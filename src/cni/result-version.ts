/** What each version of the protocol can say of a result (rules A21, A22). */
import type { Family } from "../net/ip.ts";
import type { Prefix } from "../net/prefix.ts";
import { CniError, code } from "./error.ts";
import type { Dns, Interface, IpConfig, Result, Route } from "./result.ts";
import { atLeast, type Version } from "./version.ts";

/** Fields that may be undefined, before `present` leaves those out. */
type Loose<T> = { [Key in keyof T]: T[Key] | undefined };

/** The fields that have a value, in their order. */
export function present<T extends object>(fields: Loose<T>): T {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) result[key] = value;
  return result as T;
}

/**
 * The part of a result that a version can express, with nothing in it that would be written empty: exactly what
 * parsing the formatted result gives back. The fields come in the order in which they are written.
 * @throws CniError code 999 for 0.1.0 and 0.2.0 when there is no address.
 */
export function reduceTo(version: Version, result: Result): Result {
  const { interfaces, ips } = result;
  const routes = result.routes.map((route) => reduceRoute(version, route));
  const dns = reduceDns(result.dns);
  if (atLeast(version, "0.3.0")) {
    return {
      interfaces: interfaces.map((each) => reduceInterface(version, each)),
      ips: ips.map(reduceIp),
      routes,
      dns,
    };
  }
  const first = [...firstOf(4, ips), ...firstOf(6, ips)];
  if (first.length === 0) {
    throw new CniError(code.internal, "cannot convert: no valid IP addresses", "", {
      remark: `a result of version ${version} needs an address; a configuration of 0.3.0 or later does not`,
    });
  }
  return {
    interfaces: [],
    ips: first.map(({ address, gateway }) => present<IpConfig>({ address, gateway })),
    routes: first.flatMap((ip) => routes.filter((route) => familyOf(route.dst) === familyOf(ip.address))),
    dns,
  };
}

const familyOf = (prefix: Prefix): Family => prefix.address.family;

const firstOf = (family: Family, ips: readonly IpConfig[]): IpConfig[] =>
  ips.filter((ip) => familyOf(ip.address) === family).slice(0, 1);

function reduceInterface(
  version: Version,
  { name, mac, mtu, sandbox, socketPath, pciID }: Interface,
): Interface {
  const full = atLeast(version, "1.1.0");
  return present<Interface>({
    name,
    mac: mac || undefined,
    mtu: (full && mtu) || undefined,
    sandbox: sandbox || undefined,
    socketPath: (full && socketPath) || undefined,
    pciID: (full && pciID) || undefined,
  });
}

const reduceIp = (ip: IpConfig): IpConfig =>
  present<IpConfig>({ interface: ip.interface, address: ip.address, gateway: ip.gateway });

/**
 * Table 0 and scope 0 are values; MTU, MSS and priority 0 are none. The specification has them since 1.1.0, but libcni
 * writes them since 0.3.0, and networks of those versions rely on an IPAM's priorities and tables.
 */
function reduceRoute(version: Version, { dst, gw, mtu, advmss, priority, table, scope }: Route): Route {
  if (!atLeast(version, "0.3.0")) return present<Route>({ dst, gw });
  return present<Route>({
    dst,
    gw,
    mtu: mtu || undefined,
    advmss: advmss || undefined,
    priority: priority || undefined,
    table,
    scope,
  });
}

function reduceDns({ nameservers, domain, search, options }: Dns): Dns {
  return present<Dns>({
    nameservers: nameservers?.length ? nameservers : undefined,
    domain: domain || undefined,
    search: search?.length ? search : undefined,
    options: options?.length ? options : undefined,
  });
}
