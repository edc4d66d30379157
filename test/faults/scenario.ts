/** What a host is like, and how its network is configured, when a plugin is killed or a system call fails. */

export const NETWORK = "testnet";
export const BRIDGE = "br0";

/** The container that lives on while all is done to the other one. */
export const NEIGHBOUR = "c1";
/** The container whose ADD and DEL are disturbed. */
export const SUBJECT = "c2";

/** What is done to a container by one plugin: the keys of its configuration. */
type Plugin = Readonly<Record<string, unknown>> & { readonly type: string };

export interface Scenario {
  readonly name: string;
  /** The plugins in the order in which a runtime calls them for ADD. */
  readonly chain: readonly Plugin[];
  /** Those whose system calls are disturbed. The others are disturbed in another scenario. */
  readonly disturbed: readonly string[];
  /** Whether a neighbour is on the network. If not, ADD is the first on a bare host: it makes all there is. */
  readonly neighbour: boolean;
  /** Programs that the plugin runs as children, behind traps that can disturb them too (children.ts). */
  readonly children: readonly ("host-local" | "iptables")[];
}

const V4 = [{ subnet: "10.77.0.0/24" }];
const V6 = [{ subnet: "fd77::/64" }];

const network = (backend: "iptables" | "nftables", ...ranges: object[][]) => ({
  type: "bridge",
  bridge: BRIDGE,
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: backend,
  ipam: {
    type: "host-local",
    ranges,
    routes: ranges.map((range) => ({ dst: range === V4 ? "0.0.0.0/0" : "::/0" })),
  },
});

const spoofCheck = { ...network("nftables", V4), macspoofchk: true, hairpinMode: true, mtu: 1400 };
const dualStack = network("iptables", V4, V6);

const scenario = (name: string, config: Plugin, more: Partial<Scenario> = {}): Scenario => ({
  ...{ name, chain: [config], disturbed: [config.type], neighbour: true, children: [] },
  ...more,
});

/** What nerdctl puts behind bridge, with a setting of each kind for tuning. */
const chained = (name: string, backend: "iptables" | "nftables", more: Partial<Scenario> = {}): Scenario => ({
  ...scenario(name, { ...network(backend, V4, V6), ipMasq: false }),
  chain: [
    { ...network(backend, V4, V6), ipMasq: false },
    { type: "portmap", backend },
    { type: "firewall", backend, ingressPolicy: backend === "iptables" ? "same-bridge" : "isolated" },
    { type: "tuning", mac: "02:00:00:00:00:77", mtu: 1400, promisc: true, sysctl: TUNED },
  ],
  disturbed: ["portmap", "firewall", "tuning"],
  ...more,
});

/** A setting that tuning changes, and its value there. */
const TUNED = { "net.ipv4.conf.IFNAME.arp_filter": "1" };

/** Ports of the host that lead to ports of a container; each container has its own, by which its flows are known. */
export const portsOf = (id: string) => {
  const last = id === SUBJECT ? 2 : 1;
  return ["tcp", "udp"].map((protocol) => ({
    hostPort: 8080 + last,
    containerPort: 5300 + last,
    protocol,
  }));
};

const STATIC = { type: "static", addresses: [{ address: "10.77.0.9/24", gateway: "10.77.0.1" }] };

export const SCENARIOS: readonly Scenario[] = [
  scenario("nftables", network("nftables", V4)),
  scenario("iptables", network("iptables", V4)),
  scenario("nftables, dual-stack", network("nftables", V4, V6)),
  scenario("iptables, dual-stack", dualStack),
  scenario("nftables, spoof check", spoofCheck),
  scenario("nftables, bare host", network("nftables", V4), { neighbour: false }),
  scenario("iptables, dual-stack, bare host", dualStack, { neighbour: false }),
  scenario("iptables-legacy, dual-stack, IPAM as a child", dualStack, {
    children: ["host-local", "iptables"],
  }),
  scenario("static", { ...network("nftables", V4), ipMasq: false, ipam: STATIC }, { neighbour: false }),
  chained("chain, iptables", "iptables"),
  chained("chain, nftables", "nftables"),
  chained("chain, iptables-legacy", "iptables", { children: ["iptables"] }),
  chained("chain, iptables, bare host", "iptables", { neighbour: false }),
  chained("chain, nftables, bare host", "nftables", { neighbour: false }),
  chained("chain, iptables-legacy, bare host", "iptables", { neighbour: false, children: ["iptables"] }),
];

export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${JSON.stringify(name)}`);
  return found;
}
