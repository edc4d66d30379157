/** The networks that storms rage on, of bridge alone or of nerdctl's chain: what they share, and what they have of their own. */

export type Backend = "nftables" | "iptables";

export interface Network {
  readonly name: string;
  readonly bridge: string;
  /** The interface's name in each container that is on it. */
  readonly ifname: string;
  /** The plugins in the order of ADD; the first one is bridge. */
  readonly chain: readonly Readonly<Record<string, unknown>>[];
  /** One address of each family comes of an ADD. */
  readonly families: readonly (4 | 6)[];
  readonly masquerade: Backend | undefined;
  readonly spoofCheck: boolean;
  /** Whether there are fewer addresses than containers. */
  readonly tight: boolean;
  /** What a container can ping, if the network has it. */
  readonly gateway: string;
  /** How the ports of its containers are published and what else is behind bridge; undefined if nothing is. */
  readonly behind: Behind | undefined;
}

/** What is behind bridge. */
export interface Behind {
  readonly portmap: Backend;
  readonly firewall: Backend;
  readonly policy: "open" | "same-bridge" | "isolated";
  /** The port of the host that leads to the same port of this container, for TCP and UDP; no two attachments have the same. */
  readonly portOf: (container: string) => number;
}

interface Shape {
  readonly name: string;
  readonly bridge: string;
  readonly ranges: readonly (Record<string, string> & { subnet: string })[];
  readonly keys?: Readonly<Record<string, unknown>>;
  readonly behind?: Omit<Behind, "portOf">;
}

/** Two on one bridge, each way to masquerade, and one that is always full. */
const OF_BRIDGE: readonly Shape[] = [
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

/** Each backend alone and both together, each policy, and one that is always full. */
const OF_CHAIN: readonly Shape[] = [
  {
    name: "nft",
    bridge: "st1",
    ranges: [{ subnet: "10.92.0.0/24" }, { subnet: "fd92::/64" }],
    keys: { ipMasq: true, ipMasqBackend: "nftables" },
    behind: { portmap: "nftables", firewall: "nftables", policy: "same-bridge" },
  },
  {
    name: "ipt",
    bridge: "st2",
    ranges: [{ subnet: "10.93.0.0/24" }, { subnet: "fd93::/64" }],
    keys: { ipMasq: true, ipMasqBackend: "iptables" },
    behind: { portmap: "iptables", firewall: "iptables", policy: "isolated" },
  },
  {
    name: "mixed",
    bridge: "st0",
    ranges: [{ subnet: "10.95.0.0/24" }, { subnet: "fd95::/64" }],
    behind: { portmap: "iptables", firewall: "nftables", policy: "open" },
  },
  {
    name: "tight",
    bridge: "st3",
    ranges: [{ subnet: "10.94.0.0/24", rangeStart: "10.94.0.2", rangeEnd: "10.94.0.9" }],
    behind: { portmap: "iptables", firewall: "iptables", policy: "same-bridge" },
  },
];

const SHAPES = { bridge: OF_BRIDGE, chain: OF_CHAIN } as const;
export type StormKind = keyof typeof SHAPES;

const FIRST_PORT = 20_000;
const PORTS_OF_NETWORK = 1000;

/** The networks of a storm. */
export const networksOf = (kind: StormKind): readonly Network[] =>
  SHAPES[kind].map(({ name, bridge, ranges, keys = {}, behind }, index) => ({
    name,
    bridge,
    ifname: `eth${index}`,
    chain: [
      { type: "bridge", bridge, isGateway: true, ...keys, ipam: ipamOf(ranges) },
      ...(behind === undefined ? [] : pluginsOf(behind)),
    ].map((plugin) => ({ cniVersion: "1.1.0", name, ...plugin })),
    families: ranges.map(({ subnet }) => (subnet.includes(":") ? 6 : 4)),
    masquerade: keys.ipMasqBackend as Network["masquerade"],
    spoofCheck: keys.macspoofchk === true,
    tight: name === "tight",
    gateway: (ranges[0]?.subnet ?? "").replace(/::\/64$/, "::1").replace(/\.0\/24$/, ".1"),
    behind: behind && {
      ...behind,
      portOf: (container) => FIRST_PORT + PORTS_OF_NETWORK * index + Number(container.slice(1)),
    },
  }));

const ipamOf = (ranges: Shape["ranges"]) => ({
  type: "host-local",
  ranges: ranges.map((range) => [range]),
});

const pluginsOf = ({ portmap, firewall, policy }: Omit<Behind, "portOf">) => [
  { type: "portmap", backend: portmap, capabilities: { portMappings: true } },
  { type: "firewall", backend: firewall, ingressPolicy: policy },
  { type: "tuning", mtu: 1400, promisc: true, sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } },
];

/** The ports of a container that are published, as the runtime tells of them. */
export const mappingsOf = ({ behind }: Network, container: string) =>
  behind === undefined
    ? []
    : ["tcp", "udp"].map((protocol) => {
        const port = behind.portOf(container);
        return { hostPort: port, containerPort: port, protocol };
      });

/** Where host-local keeps the leases of all networks. */
export const LEASES = "/var/lib/cni/networks";

/** Where programs are looked for first: a link there makes another iptables the host's. */
export const LOCAL_PROGRAMS = "/usr/local/sbin";
