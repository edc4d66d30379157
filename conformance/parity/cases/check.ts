/** CHECK after a single change, and with results of all kinds. */
import { type CallStep, call, change, stepsCase } from "../../engine/case.ts";
import {
  DUAL,
  deleteNamespace,
  IPV4,
  inside,
  type JsonRecord,
  LATEST,
  layer2,
  unmountNamespace,
} from "../../engine/network.ts";
import { gateway } from "../tables.ts";

const CONFIG = layer2({
  isDefaultGateway: true,
  ipam: { ...DUAL, routes: [{ dst: "10.99.0.0/16" }, { dst: "fd00:99::/64" }] },
});

const after = (
  name: string,
  script: string,
  config: JsonRecord = CONFIG,
  options: CallStep["options"] = {},
) =>
  stepsCase(`CHECK: ${name}`, [
    call("ADD", config),
    change("mutation", script),
    call("CHECK", config, { after: "ADD", ...options }),
  ]);

/** With these keys of a network of IPv4. */
const having = (name: string, keys: JsonRecord, script: string) => after(name, script, layer2(gateway(keys)));

const edited = (name: string, edit: (result: Record<string, unknown>) => void) =>
  after(`prevResult ${name}`, ":", CONFIG, { edit });

const onPort = (command: string) =>
  `for l in $(ls /proc/sys/net/ipv4/conf | grep '^veth'); do ${command}; done`;

type Interfaces = Record<string, string>[];
const interfaces = (result: Record<string, unknown>) => result.interfaces as Interfaces;
const at = (result: Record<string, unknown>, index: number) => interfaces(result)[index] ?? {};
const set = (result: Record<string, unknown>, index: number, fields: object) =>
  Object.assign(at(result, index), fields);

export const CHECK = [
  after("nothing changed", ":"),
  after("container's end down", inside("c1", "ip link set eth0 down")),
  after("container's end deleted", inside("c1", "ip link del eth0")),
  after("container's end of another kind", inside("c1", "ip link del eth0; ip link add eth0 type bridge")),
  after("container's MAC", inside("c1", "ip link set eth0 address 02:00:00:00:00:99")),
  after("container's mtu", inside("c1", "ip link set eth0 mtu 1300")),
  after("container's IPv4 address lost", inside("c1", "ip addr del 10.10.0.2/16 dev eth0")),
  after("container's IPv6 address lost", inside("c1", "ip addr del fd00:10::2/64 dev eth0")),
  after(
    "container's prefix length",
    inside("c1", "ip addr add 10.10.0.2/24 dev eth0; ip addr del 10.10.0.2/16 dev eth0"),
  ),
  after("route lost", inside("c1", "ip route del 10.99.0.0/16")),
  after("route lost, IPv6", inside("c1", "ip route del fd00:99::/64")),
  after("route's gateway", inside("c1", "ip route replace 10.99.0.0/16 via 10.10.0.44")),
  after("default route lost", inside("c1", "ip route del default")),
  after("default route lost, IPv6", inside("c1", "ip -6 route del default")),
  after("default route's gateway", inside("c1", "ip route replace default via 10.10.0.44")),
  after("host end down", onPort("ip link set $l down")),
  after("host end without master", onPort("ip link set $l nomaster")),
  after(
    "host end on another bridge",
    `ip link add other type bridge; ${onPort("ip link set $l master other")}`,
  ),
  after("host end's MAC", onPort("ip link set $l address 02:00:00:00:00:98")),
  after("host end's mtu", onPort("ip link set $l mtu 1300")),
  after("host end renamed", onPort("ip link set $l name renamed")),
  after("bridge deleted", "ip link del cni0"),
  after("bridge down", "ip link set cni0 down"),
  after("bridge's MAC", "ip link set cni0 address 02:00:00:00:00:97"),
  after("bridge's mtu", "ip link set cni0 mtu 1300"),
  after("bridge replaced by another kind", "ip link del cni0; ip link add cni0 type veth peer name other"),
  after("bridge promiscuous", "ip link set cni0 promisc on"),
  having("promiscMode lost", { promiscMode: true }, "ip link set cni0 promisc off"),
  having("hairpin lost", { hairpinMode: true }, onPort("bridge link set dev $l hairpin off")),
  after("hairpin on", onPort("bridge link set dev $l hairpin on")),
  after("isolation on", onPort("bridge link set dev $l isolated on")),
  after("mtu larger", onPort("ip link set $l mtu 1500"), layer2({ isGateway: true, mtu: 1400, ipam: IPV4 })),
  having("isolation lost", { portIsolation: true }, onPort("bridge link set dev $l isolated off")),
  after("mtu lost", onPort("ip link set $l mtu 1300"), layer2({ isGateway: true, mtu: 1400, ipam: IPV4 })),
  after("gateway address lost", "ip addr del 10.10.0.1/16 dev cni0"),
  after("gateway address lost, IPv6", "ip addr del fd00:10::1/64 dev cni0"),
  after("forwarding off", "echo 0 > /proc/sys/net/ipv4/ip_forward"),
  after("lease deleted", "rm /var/lib/cni/networks/net/*.2"),
  after("one lease deleted", "rm /var/lib/cni/networks/net/10.10.0.2"),
  after(
    "lease of another",
    "printf 'another\\r\\neth0' | tee /var/lib/cni/networks/net/10.10.0.2 > /var/lib/cni/networks/net/fd00:10::2",
  ),
  after("leases deleted", "rm -r /var/lib/cni/networks"),
  after("namespace deleted", deleteNamespace("c1")),
  after("namespace's path is a plain file", unmountNamespace("c1")),
  ...["iptables", "nftables"].flatMap((ipMasqBackend) => {
    const keys = { ipMasq: true, ipMasqBackend };
    return [
      having(`${ipMasqBackend} masquerade lost`, keys, "nft flush ruleset"),
      having(`${ipMasqBackend} masquerade whole`, keys, ":"),
    ];
  }),
  having(
    "iptables masquerade without its jump",
    { ipMasq: true, ipMasqBackend: "iptables" },
    "iptables -t nat -F POSTROUTING",
  ),
  after("spoof check lost", "nft flush ruleset", layer2({ isGateway: true, macspoofchk: true, ipam: IPV4 })),

  after("another address added", inside("c1", "ip addr add 192.0.2.9/24 dev eth0")),
  after("another route added", inside("c1", "ip route add 198.51.100.0/24 via 10.10.0.9")),
  after("another interface added", inside("c1", "ip link add other0 type bridge")),
  after(
    "another port added",
    "ip link add p0 type veth peer name p1; ip link set p0 master cni0 up; ip link set p1 up",
  ),
  after("another bridge address added", "ip addr add fd00:55::1/64 dev cni0"),

  edited("without interfaces", (result) => void delete result.interfaces),
  edited("without ips", (result) => void delete result.ips),
  edited("without routes", (result) => void delete result.routes),
  edited("with another sandbox", (result) => void set(result, 2, { sandbox: "/run/netns/other" })),
  edited("without sandbox", (result) => void delete at(result, 2).sandbox),
  edited("with another MAC of the container", (result) => void set(result, 2, { mac: "02:00:00:00:00:01" })),
  edited(
    "with the MAC in capitals",
    (result) => void set(result, 2, { mac: at(result, 2).mac?.toUpperCase() }),
  ),
  edited("without MACs", (result) => {
    for (const entry of interfaces(result)) delete entry.mac;
  }),
  edited("with another MAC of the bridge", (result) => void set(result, 0, { mac: "02:00:00:00:00:01" })),
  edited("with another MAC of the host end", (result) => void set(result, 1, { mac: "02:00:00:00:00:01" })),
  edited("without the bridge", (result) => void interfaces(result).splice(0, 1)),
  edited("without the host end", (result) => void interfaces(result).splice(1, 1)),
  edited("without the container's end", (result) => void interfaces(result).splice(2, 1)),
  edited(
    "with another interface",
    (result) => void interfaces(result).push({ name: "other0", sandbox: "/run/netns/c1" }),
  ),
  edited(
    "with an address that is not there",
    (result) => void (result.ips as unknown[]).push({ address: "192.0.2.5/24", interface: 2 }),
  ),
  edited(
    "with a route that is not there",
    (result) => void (result.routes as unknown[]).push({ dst: "203.0.113.0/24" }),
  ),
  edited("of another version", (result) => void Object.assign(result, { cniVersion: "1.0.0" })),
  edited("of an unknown version", (result) => void Object.assign(result, { cniVersion: "9.9.9" })),
  edited("with a wrong address", (result) => void Object.assign(result, { ips: [{ address: "nonsense" }] })),

  stepsCase("CHECK without prevResult", [call("ADD", CONFIG), call("CHECK", CONFIG)]),
  stepsCase("CHECK with prevResult null", [
    call("ADD", CONFIG),
    call("CHECK", { ...CONFIG, prevResult: null }),
  ]),
  stepsCase("CHECK without ADD", [
    call("CHECK", {
      ...CONFIG,
      prevResult: {
        cniVersion: LATEST,
        interfaces: [{ name: "cni0" }, { name: "veth12345678" }, { name: "eth0", sandbox: "/run/netns/c1" }],
        ips: [{ address: "10.10.0.2/16", interface: 2 }],
      },
    }),
  ]),
  stepsCase("CHECK with another interface name", [
    call("ADD", CONFIG),
    call("CHECK", CONFIG, { after: "ADD", ifname: "eth1" }),
  ]),
  stepsCase("CHECK with another container id", [
    call("ADD", CONFIG),
    call("CHECK", CONFIG, { after: "ADD", id: "another" }),
  ]),
  stepsCase("CHECK after DEL", [
    call("ADD", CONFIG),
    call("DEL", CONFIG, { after: "ADD" }),
    call("CHECK", CONFIG, { after: "ADD" }),
  ]),
];
