/** What the kernel says, read with iproute2's JSON and not with the plugin's own eyes. */
import { outputOf } from "../test/support/command.ts";

async function listing<T>(command: string): Promise<T[]> {
  const printed = await outputOf(command.split(" "));
  return printed.trim() === "" ? [] : (JSON.parse(printed) as T[]);
}

/** Options for ip(8) that mean a namespace, or the host for undefined. */
const at = (namespace: string | undefined) => (namespace === undefined ? "" : `-n ${namespace} `);

/** Names of all links, without the counterpart behind the "@". */
export async function linkNames(namespace?: string): Promise<string[]> {
  return (await listing<{ ifname: string }>(`ip ${at(namespace)}-j link`)).map(({ ifname }) => ifname);
}

/** IPv4 addresses of a link, as "10.0.0.2/24". */
export async function addresses(ifname: string, namespace?: string): Promise<string[]> {
  type Link = { addr_info?: { local: string; prefixlen: number }[] };
  const links = await listing<Link>(`ip ${at(namespace)}-j -4 addr show dev ${ifname}`);
  return links.flatMap(({ addr_info }) =>
    (addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  );
}

/** "UP" once the link carries traffic. */
export async function operstate(ifname: string, namespace?: string): Promise<string | undefined> {
  return (await listing<{ operstate: string }>(`ip ${at(namespace)}-j link show dev ${ifname}`))[0]
    ?.operstate;
}

/** IPv4 routes, sorted, as "default via 10.0.0.1 dev eth0" or "10.0.0.0/24 dev eth0 src 10.0.0.2". */
export async function routes(namespace?: string): Promise<string[]> {
  type Route = { dst: string; gateway?: string; dev: string; prefsrc?: string };
  const all = await listing<Route>(`ip ${at(namespace)}-j -4 route`);
  return all
    .map(({ dst, gateway, dev, prefsrc }) => {
      const via = gateway === undefined ? "" : ` via ${gateway}`;
      return `${dst}${via} dev ${dev}${prefsrc === undefined ? "" : ` src ${prefsrc}`}`;
    })
    .sort();
}

/** Names of the ports of a bridge. */
export async function ports(bridge: string): Promise<string[]> {
  return (await listing<{ ifname: string }>(`ip -j link show master ${bridge}`)).map(({ ifname }) => ifname);
}
