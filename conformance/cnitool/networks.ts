/** Configurations of the cases, and the result that cnitool has to print for them. */
import { keptBridge, keptForwarding, keptLeaseFolder } from "../../test/support/leftovers.ts";
import { type JsonRecord, VERSIONS } from "../engine/network.ts";
import type { LinkFacts } from "../kernel-facts.ts";

export type Version = (typeof VERSIONS)[number];

/** Whether `version` is this one or a later one. */
export const isAtLeast = (version: Version, other: Version): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(other);

export type Family = 4 | 6;

/** How the families of a case are called. */
export const FAMILIES: Readonly<Record<string, readonly Family[]>> = {
  IPv4: [4],
  IPv6: [6],
  "dual-stack": [4, 6],
};

export const NETWORK = "neta";
export const BRIDGE = "cni0";

export const SUBNET = { 4: "10.61.0.0/24", 6: "fd00:61::/64" } as const;
export const GATEWAY = { 4: "10.61.0.1", 6: "fd00:61::1" } as const;
export const LENGTH = { 4: 24, 6: 64 } as const;
/** What the first container gets. */
export const FIRST = { 4: "10.61.0.2", 6: "fd00:61::2" } as const;
const DEFAULT = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/** The bridge plugin's part of a configuration, without name and version. */
export const bridgePlugin = (families: readonly Family[], keys: JsonRecord = {}): JsonRecord => ({
  type: "bridge",
  bridge: BRIDGE,
  isGateway: true,
  ipam: {
    type: "host-local",
    ranges: families.map((family) => [{ subnet: SUBNET[family] }]),
    routes: families.map((family) => ({ dst: DEFAULT[family] })),
  },
  ...keys,
});

/** A single configuration: the content of a *.conf. */
export const single = (cniVersion: Version, plugin: JsonRecord, name = NETWORK): JsonRecord => ({
  cniVersion,
  name,
  ...plugin,
});

/** A list of plugins: the content of a *.conflist. */
export const list = (cniVersion: Version, plugins: readonly JsonRecord[], name = NETWORK): JsonRecord => ({
  cniVersion,
  name,
  plugins,
});

/** What an ADD of the bridge leaves for good, and the folder in which libcni kept results. */
export const keptBy = (network = NETWORK, bridge = BRIDGE): RegExp[] => [
  ...keptBridge(bridge),
  ...keptForwarding,
  ...keptLeaseFolder(network),
  /^file \/var\/lib\/cni\/results\/ 700$/,
];

interface ExpectedResult {
  readonly version: Version;
  readonly addresses: readonly { readonly family: Family; readonly address: string }[];
  /** Bridge, host's end, container's end, and what neighbours have added. */
  readonly links: readonly (Pick<LinkFacts, "name" | "mac"> & { mtu?: number; sandbox?: string })[];
  /** Default routes are in the configuration for these. */
  readonly routesOf: readonly Family[];
}

/** The document in the form of its version (rule A21). */
export function expectedResult({ version, addresses, links, routesOf }: ExpectedResult): object {
  const routes = (families: readonly Family[]) => families.map((family) => ({ dst: DEFAULT[family] }));
  const withLength = (family: Family, address: string) => `${address}/${LENGTH[family]}`;
  if (!isAtLeast(version, "0.3.0")) {
    const parts = addresses.map(({ family, address }) => [
      `ip${family}`,
      { ip: withLength(family, address), gateway: GATEWAY[family], routes: routes([family]) },
    ]);
    return { cniVersion: version, ...Object.fromEntries(parts), dns: {} };
  }
  const interfaces = links.map(({ name, mac, mtu, sandbox }) => ({
    name,
    mac,
    ...(isAtLeast(version, "1.1.0") && mtu !== undefined && { mtu }),
    ...(sandbox !== undefined && { sandbox }),
  }));
  const ips = addresses.map(({ family, address }) => ({
    ...(!isAtLeast(version, "1.0.0") && { version: String(family) }),
    interface: 2,
    address: withLength(family, address),
    gateway: GATEWAY[family],
  }));
  const dns = isAtLeast(version, "1.0.0") ? {} : { dns: {} };
  return { cniVersion: version, interfaces, ips, routes: routes(routesOf), ...dns };
}
