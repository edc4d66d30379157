/** Networks and places that the cases of both sides work with. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonRecord = { readonly [key: string]: Json };

/** Those that make an attachment of a network alone, or give its addresses. */
export const PLUGINS = ["bridge", "host-local", "loopback"] as const;
/** All. */
export const ALL_PLUGINS = [...PLUGINS, "static", "tuning"] as const;
/** Those that work on what the plugins before them in a list have made. */
const CHAINED = ["portmap", "firewall"] as const;
export type PluginName = (typeof ALL_PLUGINS)[number] | (typeof CHAINED)[number];

export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export const LATEST = "1.1.0";

/** Where both sides find their plugins. */
export const PLUGIN_PATH = "/run/conformance/bin";
/** Where a case may keep files; what is in there is compared. */
export const FILES = "/run/conformance/files";
/** The same for files that are not compared. */
export const NOTES = "/run/conformance/notes";

/** Where the leases of `network()` are. */
export const LEASES = "/var/lib/cni/networks/net";

/** Where a container's namespace is. */
export const netnsPath = (container: string): string => `/run/netns/${container}`;

/** An ipam section of host-local with one range set a subnet. */
export const hostLocal = (
  subnets: readonly string[] = ["10.10.0.0/24"],
  keys: JsonRecord = {},
): JsonRecord => ({ type: "host-local", ranges: subnets.map((subnet) => [{ subnet }]), ...keys });

export const IPV4 = hostLocal(["10.10.0.0/16"]);
export const IPV6 = hostLocal(["fd00:10::/64"]);
export const DUAL = hostLocal(["10.10.0.0/16", "fd00:10::/64"]);

/** A configuration of the bridge plugin without addresses; `keys` are added or replace. */
export const layer2 = (keys: JsonRecord = {}): JsonRecord => ({
  cniVersion: LATEST,
  name: "net",
  type: "bridge",
  bridge: "cni0",
  ...keys,
});

/** A configuration that every plugin accepts, with a gateway and addresses. */
export const network = (keys: JsonRecord = {}): JsonRecord =>
  layer2({ isGateway: true, ipam: hostLocal(), ...keys });

export const VALID = "cni.dev/valid-attachments";

/** As libcni calls GC and STATUS: no attachment. */
export const BARE = { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined } as const;

/** A shell command that runs inside of a container. */
export const inside = (container: string, command: string): string =>
  `nsenter --net=${netnsPath(container)} -- /bin/sh -c '${command.replaceAll("'", `'\\''`)}'`;

/** Waits until no pair is left whose end in a deleted namespace is on its way out. */
const UNTIL_GONE = "while ip -o link show type veth | grep -q .; do sleep 0.01; done";

/** Deletes a container's namespace, and with it both ends of its pair. */
export const deleteNamespace = (container: string): string => `ip netns del ${container}; ${UNTIL_GONE}`;

/** The same, but the path stays: as a plain file. */
export const unmountNamespace = (container: string): string =>
  `umount -l ${netnsPath(container)}; ${UNTIL_GONE}`;
