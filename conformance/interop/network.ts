/** The network of a case. */
import {
  keptBridge,
  keptForwarding,
  keptIptablesChains,
  keptLeaseFolder,
} from "../../test/support/leftovers.ts";

export const NETWORK = "netx";
export const BRIDGE = "cni0";

export type Backend = "iptables" | "nftables";

export interface Network {
  readonly name: string;
  readonly version: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly backend: Backend;
  readonly masquerades: boolean;
  readonly gateways: readonly string[];
  readonly bridgeAddresses: readonly string[];
}

const SUBNETS = { 4: "10.71.0.0/24", 6: "fd00:71::/64" } as const;
const GATEWAYS = { 4: "10.71.0.1", 6: "fd00:71::1" } as const;
const LENGTHS = { 4: 24, 6: 64 } as const;
const DEFAULTS = { 4: "0.0.0.0/0", 6: "::/0" } as const;

type Family = 4 | 6;

interface NetworkOptions {
  readonly version?: string;
  readonly families?: readonly Family[];
  readonly backend?: Backend;
  /** Last address of the IPv4 range. */
  readonly rangeEnd?: string;
  /** More keys of the bridge plugin. */
  readonly keys?: Readonly<Record<string, unknown>>;
}

export function network(options: NetworkOptions = {}): Network {
  const { version = "1.1.0", families = [4], backend = "nftables", rangeEnd, keys = {} } = options;
  const range = (family: Family) => ({
    subnet: SUBNETS[family],
    ...(family === 4 && rangeEnd !== undefined && { rangeEnd }),
  });
  const config = {
    cniVersion: version,
    name: NETWORK,
    type: "bridge",
    bridge: BRIDGE,
    isGateway: true,
    ipMasq: true,
    ipMasqBackend: backend,
    ipam: {
      type: "host-local",
      ranges: families.map((family) => [range(family)]),
      routes: families.map((family) => ({ dst: DEFAULTS[family] })),
    },
    ...keys,
  };
  return {
    name: `${families.length === 2 ? "dual-stack" : "IPv4"}, ${backend}, ${version}`,
    version,
    config,
    backend,
    masquerades: config.ipMasq,
    gateways: families.map((family) => GATEWAYS[family]),
    bridgeAddresses: families.map((family) => `${GATEWAYS[family]}/${LENGTHS[family]}`),
  };
}

/** One network for each backend and family, with the versions whose results are prevResults in turn. */
export const NETWORKS: readonly Network[] = [
  network({ backend: "iptables", families: [4], version: "0.4.0" }),
  network({ backend: "iptables", families: [4, 6], version: "1.1.0" }),
  network({ backend: "nftables", families: [4], version: "1.0.0" }),
  network({ backend: "nftables", families: [4, 6], version: "1.1.0" }),
];

/** What both keep when the last container is gone: bridge, forwarding, the folder of the leases. */
export const KEPT: readonly RegExp[] = [
  ...keptBridge(BRIDGE),
  ...keptForwarding,
  ...keptLeaseFolder(NETWORK),
];

/** And what only the reference keeps: its tables, empty. No rule that masquerades or names a container. */
export const KEPT_BY_REFERENCE: readonly RegExp[] = [
  ...KEPT,
  ...keptIptablesChains,
  /^nft \{"(table|chain)":\{"family":"inet","(name|table)":"cni_plugins_masquerade"/,
  /^nft \{"rule":\{"family":"inet","table":"cni_plugins_masquerade","chain":"postrouting","expr":\[(?!.*"masquerade":null)/,
];
