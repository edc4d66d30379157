/** The network that docs/runtimes.md shows for containerd, and how it looks from the host. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { networkOf } from "../../test/support/runtimes-page.ts";

const PAGE = networkOf("containerd");

export const NETWORK = PAGE.name;

/** The addresses of the bridge. */
export const GATEWAY = { v4: "10.88.0.1", v6: "fd00:88::1" } as const;

/** The same network, but with two IPv4 addresses only. */
export const NARROW = [
  [{ subnet: "10.88.0.0/16", rangeStart: "10.88.200.1", rangeEnd: "10.88.200.2" }],
  [{ subnet: "fd00:88::/64" }],
];

/** Makes this the only network there is; `ranges` replace those of the page. */
export function configure(cniVersion: string, ranges?: readonly object[]): void {
  const folder = "/etc/cni/net.d";
  for (const name of readdirSync(folder)) rmSync(`${folder}/${name}`);
  const plugins = PAGE.plugins.map((plugin) =>
    ranges === undefined || plugin.type !== "bridge"
      ? plugin
      : { ...plugin, ipam: { ...(plugin.ipam as object), ranges } },
  );
  const list = { cniVersion, name: NETWORK, plugins };
  writeFileSync(`${folder}/10-containerd-net.conflist`, JSON.stringify(list));
}

/** Who has which address, by the files of host-local: container ids by address. */
export function leases(network = NETWORK): Readonly<Record<string, string>> {
  const folder = `/var/lib/cni/networks/${network}`;
  const addresses = names(folder).filter((name) => /^[\da-f.:]+$/.test(name));
  return Object.fromEntries(
    addresses.map((name) => [name, readFileSync(`${folder}/${name}`, "utf8").split(/\r?\n/)[0] ?? ""]),
  );
}

/** The results of ADD that the runtime keeps for a container, one for each interface. */
export function keptResults(containerId: string): readonly string[] {
  const folder = "/var/lib/cni/results";
  return names(folder).flatMap((name) =>
    name.includes(containerId) ? readFileSync(`${folder}/${name}`, "utf8") : [],
  );
}

/** What of a container is on the host, one line each: leases, kept results, firewall rules, links. Empty after DEL. */
export async function tracesOf(containerId: string, network = NETWORK): Promise<string[]> {
  const rules = await outputOf("iptables-save; ip6tables-save; nft list ruleset");
  return [
    ...Object.entries(leases(network)).flatMap(([address, id]) =>
      id === containerId ? `lease ${address}` : [],
    ),
    ...keptResults(containerId).map((result) => `kept result ${result}`),
    ...rules.split("\n").flatMap((line) => (line.includes(containerId) ? `rule ${line.trim()}` : [])),
  ];
}

export async function ports(): Promise<string[]> {
  const listed = JSON.parse((await outputOf("ip -j link show type veth")) || "[]") as {
    ifname?: string;
    master?: string;
  }[];
  return listed.flatMap(({ ifname, master }) =>
    ifname === undefined || ifname === "uplink" ? [] : `${ifname} of ${master}`,
  );
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
