/** What `ip` and `bridge` are asked to do for the goldens of rtnetlink. */
import { RTM_GETADDR } from "../../src/netlink/rtnetlink/address.ts";
import { RTM_GETLINK } from "../../src/netlink/rtnetlink/link.ts";
import { RTM_GETNEIGH } from "../../src/netlink/rtnetlink/neighbour.ts";
import { RTM_GETROUTE } from "../../src/netlink/rtnetlink/route.ts";

export interface Scenario {
  /** Of the golden. */
  readonly name: string;
  /** Shell commands that make the state in which `command` runs. */
  readonly before?: readonly string[];
  readonly command: string;
  /**
   * Which requests are kept, with their replies: only the last, as what comes before looks names up or tries what the
   * kernel knows; or the dumps of one message type.
   */
  readonly keep: "last" | { readonly dump: number };
  /** Shell command that fails on a kernel which can't play the scenario. */
  readonly unless?: string;
}

const BRIDGE = "ip link add name br0 address 02:00:00:00:00:01 type bridge";
const PAIR =
  "ip link add name veth0 address 02:00:00:00:00:02 type veth peer name eth0 address 02:00:00:00:00:03";
const PORT = [BRIDGE, PAIR, "ip link set dev veth0 master br0"];
const UP = [PAIR, "ip link set dev veth0 up", "ip link set dev eth0 up"];
const V4 = [...UP, "ip addr add 10.0.0.2/24 dev eth0"];
const V6 = [...UP, "ip addr add fd00::2/64 dev eth0 nodad"];

const change = (name: string, before: readonly string[], command: string): Scenario => ({
  name,
  before,
  command,
  keep: "last",
});
const query = (name: string, before: readonly string[], command: string, dump?: number): Scenario => ({
  name,
  before,
  command,
  keep: dump === undefined ? "last" : { dump },
});

const FILTERING_PORT = [
  `${BRIDGE} vlan_filtering 1 vlan_default_pvid 7`,
  PAIR,
  "ip link set dev veth0 master br0",
];
const FULL_PORT = [
  ...FILTERING_PORT,
  "bridge vlan add dev veth0 vid 10 pvid untagged",
  "bridge vlan add dev veth0 vid 100-110",
  "bridge vlan add dev veth0 vid 4094",
];

/** Those that want a kernel with CONFIG_BRIDGE_VLAN_FILTERING. */
const VLAN_SCENARIOS = [
  change("vlan-filtering-add", FILTERING_PORT, "bridge vlan add dev veth0 vid 10 pvid untagged"),
  change("vlan-filtering-del", FULL_PORT, "bridge vlan del dev veth0 vid 100-105"),
  change("vlan-filtering-error", FILTERING_PORT, "bridge vlan add dev eth0 vid 10"),
  query("vlan-filtering-show", FULL_PORT, "bridge vlan show"),
  query("vlan-filtering-show-ranges", FULL_PORT, "bridge -compressvlans vlan show"),
  query("vlan-filtering-link", FILTERING_PORT, "ip -d link show type bridge"),
].map((scenario) => ({ ...scenario, unless: "ip link add name br9 type bridge vlan_filtering 1" }));

export const SCENARIOS: readonly Scenario[] = [
  change(
    "link-add-bridge",
    [],
    "ip link add name br0 address 02:00:00:00:00:01 mtu 1400 type bridge vlan_filtering 1",
  ),
  change(
    "link-add-bridge-default-pvid",
    [],
    "ip link add name br0 type bridge vlan_filtering 1 vlan_default_pvid 7",
  ),
  change(
    "link-add-veth",
    [BRIDGE, "ip netns add box"],
    "ip link add name veth0 mtu 1400 master br0 type veth peer name eth0 mtu 1400 address 02:00:00:00:00:03 netns box",
  ),
  change("link-set-master", [BRIDGE, PAIR], "ip link set dev veth0 master br0"),
  change("link-set-nomaster", PORT, "ip link set dev veth0 nomaster"),
  change("link-set-up", [PAIR], "ip link set dev veth0 up"),
  change("link-set-down", UP, "ip link set dev veth0 down"),
  change("link-set-promisc", [BRIDGE], "ip link set dev br0 promisc on"),
  change("link-set-name", [PAIR], "ip link set dev eth0 name net1"),
  change("link-set-mtu", [PAIR], "ip link set dev eth0 mtu 1300"),
  change("link-set-alias", [PAIR], "ip link set dev veth0 alias mynet"),
  change("link-set-vlan-filtering", [BRIDGE], "ip link set dev br0 type bridge vlan_filtering 1"),
  change("link-del", [PAIR], "ip link del dev veth0"),
  query("link-get", [PAIR], "ip link show dev veth0"),
  query("link-show", PORT, "ip link show"),
  query("link-show-master", PORT, "ip link show master br0", RTM_GETLINK),
  query("link-show-type", [BRIDGE, PAIR], "ip -d link show type bridge"),
  query("link-show-netns", ["ip netns add box", `${PAIR} netns box`], "ip link show type veth", RTM_GETLINK),
  change("link-set-bridge-slave", PORT, "ip link set dev veth0 type bridge_slave hairpin on isolated on"),
  change("bridge-link-set", PORT, "bridge link set dev veth0 hairpin on isolated on"),
  query(
    "bridge-link-show",
    [...PORT, "ip link set dev veth0 type bridge_slave hairpin on"],
    "bridge -d link show",
  ),

  change("addr-add", UP, "ip addr add 10.0.0.2/24 brd + dev eth0"),
  change("addr-add-noprefixroute", UP, "ip addr add 10.0.0.2/24 dev eth0 noprefixroute"),
  change("addr-add-peer", UP, "ip addr add 10.0.0.2 peer 10.0.0.9/32 dev eth0"),
  change("addr-add-label", UP, "ip addr add 10.0.0.2/24 dev eth0 label eth0:1"),
  change("addr-add-v6", UP, "ip addr add fd00::2/64 dev eth0"),
  change("addr-add-v6-nodad", UP, "ip addr add fd00::2/64 dev eth0 nodad"),
  change("addr-add-v6-nodad-noprefixroute", UP, "ip addr add fd00::2/64 dev eth0 nodad noprefixroute"),
  change("addr-del", V4, "ip addr del 10.0.0.2/24 dev eth0"),
  change("addr-del-v6", V6, "ip addr del fd00::2/64 dev eth0"),
  query(
    "addr-show",
    [
      ...V4,
      "ip addr add 10.1.0.2 peer 10.1.0.9/32 dev eth0",
      "ip addr add fd00::2/64 dev eth0 nodad noprefixroute",
    ],
    "ip addr show dev eth0",
    RTM_GETADDR,
  ),

  change("route-add-via", V4, "ip route add 10.9.0.0/16 via 10.0.0.1"),
  change("route-add-default", V4, "ip route add default via 10.0.0.1"),
  change("route-add-metric", V4, "ip route add 10.9.0.0/16 via 10.0.0.1 dev eth0 metric 50"),
  change("route-add-table", V4, "ip route add 10.9.0.0/16 via 10.0.0.1 table 1000"),
  change("route-add-table-low", V4, "ip route add 10.9.0.0/16 via 10.0.0.1 table 100"),
  change("route-add-link", UP, "ip route add 10.9.0.0/16 dev eth0 scope link"),
  change("route-add-mtu", V4, "ip route add 10.9.0.0/16 via 10.0.0.1 mtu 1300 advmss 1200"),
  change("route-add-src", V4, "ip route add 10.9.0.0/16 via 10.0.0.1 src 10.0.0.2"),
  change("route-add-v6", V6, "ip route add fd09::/48 via fd00::1 dev eth0 metric 50"),
  change("route-add-v6-default", V6, "ip route add default via fd00::1"),
  change("route-add-v6-from", V6, "ip -6 route add fd09::/48 from fd08::/64 via fd00::1"),
  change("route-prepend", V4, "ip route prepend 10.9.0.0/16 via 10.0.0.1"),
  change("route-del", [...V4, "ip route add 10.9.0.0/16 via 10.0.0.1"], "ip route del 10.9.0.0/16"),
  change(
    "route-del-via",
    [...V4, "ip route add 10.9.0.0/16 via 10.0.0.1 metric 50"],
    "ip route del 10.9.0.0/16 via 10.0.0.1 metric 50",
  ),
  change("route-del-v6", [...V6, "ip route add fd09::/48 via fd00::1"], "ip route del fd09::/48"),
  query(
    "route-show",
    [
      ...V4,
      "ip route add default via 10.0.0.1",
      "ip route add 10.9.0.0/16 via 10.0.0.1 src 10.0.0.2 mtu lock 1300 advmss 1200 metric 50",
      "ip route add 10.8.0.0/16 tos 0x10 dev eth0 scope link",
      "ip route add unreachable 10.7.0.0/16",
      "ip route add 10.6.0.0/16 nexthop via 10.0.0.1 nexthop via 10.0.0.3",
      "ip route add 10.5.0.0/16 via inet6 fe80::1 dev eth0",
    ],
    "ip -4 route show table main",
    RTM_GETROUTE,
  ),
  query(
    "route-show-table",
    [...V4, "ip route add 10.9.0.0/16 via 10.0.0.1 table 1000"],
    "ip -4 route show table 1000",
    RTM_GETROUTE,
  ),
  query(
    "route-show-v6",
    [
      ...V6,
      "ip route add default via fd00::1",
      "ip -6 route add fd09::/48 from fd08::/64 via fd00::1 metric 50 mtu 1300 pref high",
    ],
    "ip -6 route show",
    RTM_GETROUTE,
  ),

  change("neigh-add", V4, "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0"),
  change(
    "neigh-del",
    [...V4, "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0"],
    "ip neigh del 10.0.0.9 dev eth0",
  ),
  change(
    "neigh-del-v6",
    [...V6, "ip neigh add fd00::9 lladdr 02:00:00:00:00:09 dev eth0"],
    "ip neigh del fd00::9 dev eth0",
  ),
  query(
    "neigh-show",
    [
      ...V4,
      "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0",
      "ip neigh add fd00::9 lladdr 02:00:00:00:00:09 dev eth0",
    ],
    "ip neigh show dev eth0 nud permanent",
    RTM_GETNEIGH,
  ),

  change("vlan-add", PORT, "bridge vlan add dev veth0 vid 10 pvid untagged"),
  change("vlan-add-range", PORT, "bridge vlan add dev veth0 vid 100-110"),
  change("vlan-add-self", [BRIDGE], "bridge vlan add dev br0 vid 10 self"),
  change("vlan-del", PORT, "bridge vlan del dev veth0 vid 1"),
  change("vlan-del-range", PORT, "bridge vlan del dev veth0 vid 100-110"),
  query("vlan-show", PORT, "bridge vlan show"),
  ...VLAN_SCENARIOS,

  change("error-name-taken", [PAIR], "ip link add name veth0 type veth peer name eth1"),
  change("error-unknown-kind", [], "ip link add name x0 type nonsense"),
  change("error-mtu", [], "ip link add name veth0 type veth peer name eth0 mtu 20"),
  change("error-gateway", V4, "ip route add 10.9.0.0/16 via 192.0.2.1"),
  change("error-address-taken", V4, "ip addr add 10.0.0.2/24 dev eth0"),
  change("error-no-link", [], "ip link show dev nothing"),
  query("error-no-table", [], "ip -4 route show table 1000"),
];
