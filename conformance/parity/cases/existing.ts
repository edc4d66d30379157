/** Hosts that are not empty: bridges, interfaces and attachments that are there already. */
import { call, change, life, stepsCase } from "../../engine/case.ts";
import { DUAL, hostLocal, IPV4, IPV6, inside, type JsonRecord, layer2 } from "../../engine/network.ts";
import { gateway, inTurn } from "../tables.ts";

const GATEWAY = layer2(gateway({ ipam: DUAL }));

const on = (name: string, script: string, keys: JsonRecord = gateway()) =>
  life(`existing: ${name}`, layer2(keys), { before: [change("prepare", script)] });

/** The script that makes a bridge, and does this before it goes up. */
const made = (before = "", { type = "bridge", up = "up" } = {}) =>
  `ip link add cni0 type ${type}; ${before}${before === "" ? "" : "; "}ip link set cni0 ${up}`;
const addresses = (...all: readonly string[]) =>
  made(all.map((address) => `ip addr add ${address} dev cni0`).join("; "));

/** A bridge with these addresses. */
const withAddresses = (name: string, all: readonly string[], keys?: JsonRecord) =>
  on(`bridge with ${name}`, addresses(...all), keys);

const PORT =
  "; ip link add p0 type veth peer name p1; ip link set p0 master cni0 address 02:00:00:00:00:01 up; ip link set p1 up";
const FORCED = gateway({ forceAddress: true });
const SIX = gateway({ ipam: IPV6 });
const PAIR = "ip link add eth0 type veth peer name other";
const OTHER_BRIDGE = "ip link add other type bridge; ip link set other up; ip addr add";

const SECOND = layer2({
  name: "second",
  bridge: "cni1",
  isGateway: true,
  ipam: hostLocal(["10.50.0.0/24"]),
});

const THREE = ["c1", "c2", "c3"];

export const EXISTING = [
  on("bridge that is down", "ip link add cni0 type bridge"),
  on("bridge that is up", made()),
  on(
    "bridge with a fixed MAC",
    "ip link add cni0 address 02:00:5e:00:00:05 type bridge; ip link set cni0 up",
  ),
  on("bridge with a port", made() + PORT),
  on("bridge with a port, layer 2", made() + PORT, {}),
  withAddresses("the gateway address", ["10.10.0.1/16"]),
  withAddresses("the gateway address of another length", ["10.10.0.1/24"]),
  withAddresses("another IPv4 address", ["10.77.0.1/16"]),
  withAddresses("another IPv4 address, forceAddress", ["10.77.0.1/16"], FORCED),
  withAddresses(
    "several IPv4 addresses, forceAddress",
    ["10.77.0.1/16", "10.78.0.1/16", "10.77.0.2/16"],
    FORCED,
  ),
  withAddresses("another IPv4 address, no gateway", ["10.77.0.1/16"], { ipam: IPV4 }),
  withAddresses("the gateway and another address", ["10.10.0.1/16", "10.77.0.1/16"]),
  withAddresses("another and the gateway address", ["10.77.0.1/16", "10.10.0.1/16"]),
  withAddresses("another IPv6 address", ["fd00:77::1/64"], SIX),
  withAddresses("an overlapping IPv6 address", ["fd00:10::5/64"], SIX),
  withAddresses("an overlapping IPv6 address, forceAddress", ["fd00:10::5/64"], { ...FORCED, ipam: IPV6 }),
  withAddresses("a wider IPv6 address", ["fd00::1/16"], SIX),
  withAddresses("an IPv4 address, IPv6 gateway", ["10.77.0.1/16"], SIX),
  on("bridge with a smaller mtu, mtu 1500", made("", { up: "mtu 1300 up" }), gateway({ mtu: 1500 })),
  on("bridge with a larger mtu, mtu 1400", made("", { up: "mtu 9000 up" }), gateway({ mtu: 1400 })),
  on("bridge with an mtu, none wanted", made("", { up: "mtu 1300 up" })),
  on("bridge with STP", made("", { type: "bridge stp_state 1 forward_delay 200" })),
  on("promiscuous bridge", made("", { up: "promisc on up" })),
  on("promiscuous bridge, promiscMode", made("", { up: "promisc on up" }), gateway({ promiscMode: true })),
  on("plain bridge, promiscMode", made(), gateway({ promiscMode: true })),
  on("a veth has the bridge's name", "ip link add cni0 type veth peer name other"),
  on("a veth has the bridge's name, layer 2", "ip link add cni0 type veth peer name other", {}),
  on("lo as the bridge's name", ":", { bridge: "lo", ipam: IPV4 }),
  on("the container has eth0", inside("c1", PAIR)),
  on("the container has eth0, a bridge", inside("c1", "ip link add eth0 type bridge")),
  on("the container has eth0, layer 2", inside("c1", PAIR), {}),
  on("the container has a route of the subnet", inside("c1", `${OTHER_BRIDGE} 10.10.200.1/16 dev other`)),
  on(
    "the container has a default route",
    inside("c1", `${OTHER_BRIDGE} 192.0.2.1/24 dev other; ip route add default via 192.0.2.2`),
    { isDefaultGateway: true, ipam: IPV4 },
  ),
  on("the host has the subnet elsewhere", `${OTHER_BRIDGE} 10.10.200.1/16 dev other`),

  stepsCase("ADD twice", [
    call("ADD", GATEWAY),
    call("ADD", GATEWAY, { label: "ADD again" }),
    call("CHECK", GATEWAY, { after: "ADD" }),
    call("DEL", GATEWAY, { after: "ADD" }),
  ]),
  stepsCase("ADD twice, layer 2", [
    call("ADD", layer2()),
    call("ADD", layer2(), { label: "ADD again" }),
    call("DEL", layer2()),
  ]),
  stepsCase("ADD after DEL", [
    call("ADD", GATEWAY),
    call("DEL", GATEWAY, { after: "ADD" }),
    call("ADD", GATEWAY, { label: "ADD again" }),
    call("DEL", GATEWAY, { after: "ADD again", label: "DEL again" }),
  ]),
  stepsCase(
    "three containers come and go",
    [
      ...inTurn("ADD", GATEWAY, ...THREE),
      ...inTurn("CHECK", GATEWAY, ...THREE),
      ...inTurn("DEL", GATEWAY, "c2", "c1", "c3"),
    ],
    { containers: THREE },
  ),
  stepsCase(
    "two containers, layer 2",
    ["ADD", "DEL"].flatMap((command) => inTurn(command, layer2({ mtu: 1400 }), "c1", "c2")),
    { containers: ["c1", "c2"] },
  ),
  stepsCase("two interfaces of a container on one network", [
    call("ADD", GATEWAY),
    call("ADD", GATEWAY, { ifname: "eth1", label: "ADD eth1" }),
    call("CHECK", GATEWAY, { ifname: "eth1", after: "ADD eth1", label: "CHECK eth1" }),
    call("DEL", GATEWAY, { ifname: "eth1", after: "ADD eth1", label: "DEL eth1" }),
    call("CHECK", GATEWAY, { after: "ADD" }),
    call("DEL", GATEWAY, { after: "ADD" }),
  ]),
  stepsCase("two networks on one container", [
    call("ADD", GATEWAY),
    call("ADD", SECOND, { ifname: "eth1", label: "ADD eth1" }),
    call("DEL", SECOND, { ifname: "eth1", label: "DEL eth1" }),
    call("DEL", GATEWAY, { after: "ADD" }),
  ]),
  stepsCase(
    "two networks on one bridge",
    [
      call("ADD", GATEWAY),
      call("ADD", { ...SECOND, bridge: "cni0" }, { container: "c2", label: "ADD of another subnet" }),
      call("ADD", layer2({ name: "third", ipam: hostLocal(["10.50.0.0/24"]) }), {
        container: "c3",
        label: "ADD without gateway",
      }),
      call("CHECK", GATEWAY, { after: "ADD" }),
    ],
    { containers: THREE },
  ),
  stepsCase("the result of a plugin before comes as prevResult", [
    call(
      "ADD",
      layer2(
        gateway({
          prevResult: {
            cniVersion: "1.1.0",
            interfaces: [{ name: "other0", mac: "02:00:5e:00:00:07", sandbox: "/run/netns/c1" }],
            ips: [{ interface: 0, address: "192.0.2.7/24", gateway: "192.0.2.1" }],
            routes: [{ dst: "198.51.100.0/24", gw: "192.0.2.1" }],
            dns: { domain: "before.org" },
          },
        }),
      ),
    ),
    call("DEL", layer2(gateway())),
  ]),
];
