/** The networks that the storm rages on: two on one bridge, each way to masquerade, and one that is always full. */

export interface Network {
  readonly name: string;
  readonly bridge: string;
  /** The interface's name in each container that is on it. */
  readonly ifname: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** One address of each family comes of an ADD. */
  readonly families: readonly (4 | 6)[];
  readonly masquerade: "nftables" | "iptables" | undefined;
  readonly spoofCheck: boolean;
  /** Whether there are fewer addresses than containers. */
  readonly tight: boolean;
  /** What a container can ping, if the network has it. */
  readonly gateway: string;
}

interface Shape {
  readonly name: string;
  readonly bridge: string;
  readonly ranges: readonly (Record<string, string> & { subnet: string })[];
  readonly keys?: Readonly<Record<string, unknown>>;
}

const SHAPES: readonly Shape[] = [
  { name: "plain", bridge: "st0", ranges: [{ subnet: "10.91.0.0/24" }] },
  { name: "six", bridge: "st0", ranges: [{ subnet: "fd91::/64" }] },
  {
    name: "nft",
    bridge: "st1",
    ranges: [{ subnet: "10.92.0.0/24" }, { subnet: "fd92::/64" }],
    keys: { ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true },
  },
  {
    name: "ipt",
    bridge: "st2",
    ranges: [{ subnet: "10.93.0.0/24" }, { subnet: "fd93::/64" }],
    keys: { ipMasq: true, ipMasqBackend: "iptables", hairpinMode: true },
  },
  {
    name: "tight",
    bridge: "st3",
    ranges: [{ subnet: "10.94.0.0/24", rangeStart: "10.94.0.2", rangeEnd: "10.94.0.9" }],
    keys: { ipMasq: true, ipMasqBackend: "nftables" },
  },
];

export const NETWORKS: readonly Network[] = SHAPES.map(({ name, bridge, ranges, keys = {} }, index) => ({
  name,
  bridge,
  ifname: `eth${index}`,
  config: {
    cniVersion: "1.1.0",
    name,
    type: "bridge",
    bridge,
    isGateway: true,
    ...keys,
    ipam: { type: "host-local", ranges: ranges.map((range) => [range]) },
  },
  families: ranges.map(({ subnet }) => (subnet.includes(":") ? 6 : 4)),
  masquerade: keys.ipMasqBackend as Network["masquerade"],
  spoofCheck: keys.macspoofchk === true,
  tight: name === "tight",
  gateway: (ranges[0]?.subnet ?? "").replace(/::\/64$/, "::1").replace(/\.0\/24$/, ".1"),
}));

/** Where host-local keeps the leases of all networks. */
export const LEASES = "/var/lib/cni/networks";

/** Where programs are looked for first: a link there makes another iptables the host's. */
export const LOCAL_PROGRAMS = "/usr/local/sbin";
