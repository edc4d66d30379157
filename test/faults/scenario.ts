/** What a host is like, and how its network is configured, when a plugin is killed or a system call fails. */

export const NETWORK = "testnet";
export const BRIDGE = "br0";

/** The container that lives on while all is done to the other one. */
export const NEIGHBOUR = "c1";
/** The container whose ADD and DEL are disturbed. */
export const SUBJECT = "c2";

export interface Scenario {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Whether a neighbour is on the network. If not, ADD is the first on a bare host: it makes all there is. */
  readonly neighbour: boolean;
  /** Programs that the plugin runs as children, behind traps that can disturb them too (children.ts). */
  readonly children: readonly ("host-local" | "iptables")[];
}

const V4 = [{ subnet: "10.77.0.0/24" }];
const V6 = [{ subnet: "fd77::/64" }];

const network = (backend: "iptables" | "nftables", ...ranges: object[][]) => ({
  cniVersion: "1.1.0",
  name: NETWORK,
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

const scenario = (name: string, config: Scenario["config"], more: Partial<Scenario> = {}): Scenario => ({
  ...{ name, config, neighbour: true, children: [] },
  ...more,
});

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
];

export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${JSON.stringify(name)}`);
  return found;
}
