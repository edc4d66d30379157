/** Hosts that are not empty: bridges, interfaces and attachments that are there already. */
import {
  bridgeConfig,
  call,
  change,
  DUAL,
  hostLocal,
  IPV4,
  IPV6,
  inside,
  type JsonRecord,
  life,
  parityCase,
  ranges,
} from "../case.ts";

const GATEWAY = bridgeConfig({ isGateway: true, ipam: DUAL });

const on = (name: string, script: string, keys: JsonRecord = { isGateway: true, ipam: IPV4 }) =>
  life(`existing: ${name}`, bridgeConfig(keys), { before: [change("prepare", script)] });

const PORT =
  "ip link add p0 type veth peer name p1; ip link set p0 master cni0 address 02:00:00:00:00:01 up; ip link set p1 up";

export const EXISTING = [
  on("bridge that is down", "ip link add cni0 type bridge"),
  on("bridge that is up", "ip link add cni0 type bridge; ip link set cni0 up"),
  on(
    "bridge with a fixed MAC",
    "ip link add cni0 address 02:00:5e:00:00:05 type bridge; ip link set cni0 up",
  ),
  on("bridge with a port", `ip link add cni0 type bridge; ip link set cni0 up; ${PORT}`),
  on("bridge with a port, layer 2", `ip link add cni0 type bridge; ip link set cni0 up; ${PORT}`, {}),
  on(
    "bridge with the gateway address",
    "ip link add cni0 type bridge; ip addr add 10.10.0.1/16 dev cni0; ip link set cni0 up",
  ),
  on(
    "bridge with the gateway address of another length",
    "ip link add cni0 type bridge; ip addr add 10.10.0.1/24 dev cni0; ip link set cni0 up",
  ),
  on(
    "bridge with another IPv4 address",
    "ip link add cni0 type bridge; ip addr add 10.77.0.1/16 dev cni0; ip link set cni0 up",
  ),
  on(
    "bridge with another IPv4 address, forceAddress",
    "ip link add cni0 type bridge; ip addr add 10.77.0.1/16 dev cni0; ip link set cni0 up",
    {
      isGateway: true,
      forceAddress: true,
      ipam: IPV4,
    },
  ),
  on(
    "bridge with several IPv4 addresses, forceAddress",
    "ip link add cni0 type bridge; ip addr add 10.77.0.1/16 dev cni0; ip addr add 10.78.0.1/16 dev cni0; ip addr add 10.77.0.2/16 dev cni0; ip link set cni0 up",
    { isGateway: true, forceAddress: true, ipam: IPV4 },
  ),
  on(
    "bridge with another IPv4 address, no gateway",
    "ip link add cni0 type bridge; ip addr add 10.77.0.1/16 dev cni0; ip link set cni0 up",
    { ipam: IPV4 },
  ),
  on(
    "bridge with the gateway and another address",
    "ip link add cni0 type bridge; ip addr add 10.10.0.1/16 dev cni0; ip addr add 10.77.0.1/16 dev cni0; ip link set cni0 up",
  ),
  on(
    "bridge with another and the gateway address",
    "ip link add cni0 type bridge; ip addr add 10.77.0.1/16 dev cni0; ip addr add 10.10.0.1/16 dev cni0; ip link set cni0 up",
  ),
  on(
    "bridge with another IPv6 address",
    "ip link add cni0 type bridge; ip addr add fd00:77::1/64 dev cni0; ip link set cni0 up",
    { isGateway: true, ipam: IPV6 },
  ),
  on(
    "bridge with an overlapping IPv6 address",
    "ip link add cni0 type bridge; ip addr add fd00:10::5/64 dev cni0; ip link set cni0 up",
    { isGateway: true, ipam: IPV6 },
  ),
  on(
    "bridge with an overlapping IPv6 address, forceAddress",
    "ip link add cni0 type bridge; ip addr add fd00:10::5/64 dev cni0; ip link set cni0 up",
    {
      isGateway: true,
      forceAddress: true,
      ipam: IPV6,
    },
  ),
  on(
    "bridge with a wider IPv6 address",
    "ip link add cni0 type bridge; ip addr add fd00::1/16 dev cni0; ip link set cni0 up",
    { isGateway: true, ipam: IPV6 },
  ),
  on(
    "bridge with an IPv4 address, IPv6 gateway",
    "ip link add cni0 type bridge; ip addr add 10.77.0.1/16 dev cni0; ip link set cni0 up",
    { isGateway: true, ipam: IPV6 },
  ),
  on("bridge with a smaller mtu, mtu 1500", "ip link add cni0 type bridge; ip link set cni0 mtu 1300 up", {
    isGateway: true,
    mtu: 1500,
    ipam: IPV4,
  }),
  on("bridge with a larger mtu, mtu 1400", "ip link add cni0 type bridge; ip link set cni0 mtu 9000 up", {
    isGateway: true,
    mtu: 1400,
    ipam: IPV4,
  }),
  on("bridge with an mtu, none wanted", "ip link add cni0 type bridge; ip link set cni0 mtu 1300 up"),
  on("bridge with STP", "ip link add cni0 type bridge stp_state 1 forward_delay 200; ip link set cni0 up"),
  on("promiscuous bridge", "ip link add cni0 type bridge; ip link set cni0 promisc on up"),
  on("promiscuous bridge, promiscMode", "ip link add cni0 type bridge; ip link set cni0 promisc on up", {
    isGateway: true,
    promiscMode: true,
    ipam: IPV4,
  }),
  on("plain bridge, promiscMode", "ip link add cni0 type bridge; ip link set cni0 up", {
    isGateway: true,
    promiscMode: true,
    ipam: IPV4,
  }),
  on("a veth has the bridge's name", "ip link add cni0 type veth peer name other"),
  on("a veth has the bridge's name, layer 2", "ip link add cni0 type veth peer name other", {}),
  on("lo as the bridge's name", ":", { bridge: "lo", ipam: IPV4 }),
  on("the container has eth0", inside("c1", "ip link add eth0 type veth peer name other")),
  on("the container has eth0, a bridge", inside("c1", "ip link add eth0 type bridge")),
  on("the container has eth0, layer 2", inside("c1", "ip link add eth0 type veth peer name other"), {}),
  on(
    "the container has a route of the subnet",
    inside("c1", "ip link add other type bridge; ip link set other up; ip addr add 10.10.200.1/16 dev other"),
  ),
  on(
    "the container has a default route",
    inside(
      "c1",
      "ip link add other type bridge; ip link set other up; ip addr add 192.0.2.1/24 dev other; ip route add default via 192.0.2.2",
    ),
    {
      isDefaultGateway: true,
      ipam: IPV4,
    },
  ),
  on(
    "the host has the subnet elsewhere",
    "ip link add other type bridge; ip link set other up; ip addr add 10.10.200.1/16 dev other",
  ),

  parityCase("ADD twice", [
    call("ADD", GATEWAY),
    call("ADD", GATEWAY, { label: "ADD again" }),
    call("CHECK", GATEWAY, { resultOf: "ADD" }),
    call("DEL", GATEWAY, { resultOf: "ADD" }),
  ]),
  parityCase("ADD twice, layer 2", [
    call("ADD", bridgeConfig()),
    call("ADD", bridgeConfig(), { label: "ADD again" }),
    call("DEL", bridgeConfig()),
  ]),
  parityCase("ADD after DEL", [
    call("ADD", GATEWAY),
    call("DEL", GATEWAY, { resultOf: "ADD" }),
    call("ADD", GATEWAY, { label: "ADD again" }),
    call("DEL", GATEWAY, { resultOf: "ADD again", label: "DEL again" }),
  ]),
  parityCase(
    "three containers come and go",
    [
      ...["c1", "c2", "c3"].map((container) =>
        call("ADD", GATEWAY, { container, label: `ADD ${container}` }),
      ),
      ...["c1", "c2", "c3"].map((container) =>
        call("CHECK", GATEWAY, { container, label: `CHECK ${container}`, resultOf: `ADD ${container}` }),
      ),
      ...["c2", "c1", "c3"].map((container) =>
        call("DEL", GATEWAY, { container, label: `DEL ${container}`, resultOf: `ADD ${container}` }),
      ),
    ],
    { containers: ["c1", "c2", "c3"] },
  ),
  parityCase(
    "two containers, layer 2",
    [
      ...["c1", "c2"].map((container) =>
        call("ADD", bridgeConfig({ mtu: 1400 }), { container, label: `ADD ${container}` }),
      ),
      ...["c1", "c2"].map((container) =>
        call("DEL", bridgeConfig({ mtu: 1400 }), {
          container,
          label: `DEL ${container}`,
          resultOf: `ADD ${container}`,
        }),
      ),
    ],
    { containers: ["c1", "c2"] },
  ),
  parityCase("two interfaces of a container on one network", [
    call("ADD", GATEWAY),
    call("ADD", GATEWAY, { ifname: "eth1", label: "ADD eth1" }),
    call("CHECK", GATEWAY, { ifname: "eth1", resultOf: "ADD eth1", label: "CHECK eth1" }),
    call("DEL", GATEWAY, { ifname: "eth1", resultOf: "ADD eth1", label: "DEL eth1" }),
    call("CHECK", GATEWAY, { resultOf: "ADD" }),
    call("DEL", GATEWAY, { resultOf: "ADD" }),
  ]),
  parityCase("two networks on one container", [
    call("ADD", GATEWAY),
    call(
      "ADD",
      bridgeConfig({
        name: "second",
        bridge: "cni1",
        isGateway: true,
        ipam: hostLocal(ranges("10.50.0.0/24")),
      }),
      { ifname: "eth1", label: "ADD eth1" },
    ),
    call(
      "DEL",
      bridgeConfig({
        name: "second",
        bridge: "cni1",
        isGateway: true,
        ipam: hostLocal(ranges("10.50.0.0/24")),
      }),
      { ifname: "eth1", label: "DEL eth1" },
    ),
    call("DEL", GATEWAY, { resultOf: "ADD" }),
  ]),
  parityCase(
    "two networks on one bridge",
    [
      call("ADD", GATEWAY),
      call(
        "ADD",
        bridgeConfig({ name: "second", isGateway: true, ipam: hostLocal(ranges("10.50.0.0/24")) }),
        { container: "c2", label: "ADD of another subnet" },
      ),
      call("ADD", bridgeConfig({ name: "third", ipam: hostLocal(ranges("10.50.0.0/24")) }), {
        container: "c3",
        label: "ADD without gateway",
      }),
      call("CHECK", GATEWAY, { resultOf: "ADD" }),
    ],
    { containers: ["c1", "c2", "c3"] },
  ),
  parityCase("the result of a plugin before comes as prevResult", [
    call(
      "ADD",
      bridgeConfig({
        isGateway: true,
        ipam: IPV4,
        prevResult: {
          cniVersion: "1.1.0",
          interfaces: [{ name: "other0", mac: "02:00:5e:00:00:07", sandbox: "/run/netns/c1" }],
          ips: [{ interface: 0, address: "192.0.2.7/24", gateway: "192.0.2.1" }],
          routes: [{ dst: "198.51.100.0/24", gw: "192.0.2.1" }],
          dns: { domain: "before.org" },
        },
      }),
    ),
    call("DEL", bridgeConfig({ isGateway: true, ipam: IPV4 })),
  ]),
];
