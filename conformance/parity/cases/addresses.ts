/** Layer 3: what the container and the bridge get, family by family. */
import {
  bridgeConfig,
  change,
  DUAL,
  hostLocal,
  IPV4,
  IPV6,
  inside,
  type JsonRecord,
  LATEST,
  life,
  ranges,
  VERSIONS,
} from "../case.ts";

const FAMILIES = { IPv4: IPV4, IPv6: IPV6, "dual-stack": DUAL };

const everyFamily = (name: string, keys: JsonRecord) =>
  Object.entries(FAMILIES).map(([family, ipam]) =>
    life(`${name}, ${family}`, bridgeConfig({ ...keys, ipam })),
  );

const one = (name: string, keys: JsonRecord) => life(name, bridgeConfig(keys));

const TWO_OF_IPV4 = hostLocal(ranges("10.10.0.0/16", "10.20.0.0/24"));
const TWO_OF_IPV6 = hostLocal(ranges("fd00:10::/64", "fd00:20::/112"));
const TWO_OF_EACH = hostLocal(ranges("10.10.0.0/16", "fd00:10::/64", "10.20.0.0/24", "fd00:20::/112"));

/** What every version of the protocol must be able to say. */
const EVERY_VERSION: Readonly<Record<string, JsonRecord>> = {
  "isGateway, IPv4": { isGateway: true, ipam: IPV4 },
  "isDefaultGateway, dual-stack": { isDefaultGateway: true, ipam: DUAL },
  "dns and a route, IPv6": {
    isGateway: true,
    dns: {
      nameservers: ["10.10.0.1"],
      domain: "example.org",
      search: ["a.example.org"],
      options: ["ndots:2"],
    },
    ipam: { ...IPV6, routes: [{ dst: "fd00:99::/64", gw: "fd00:10::9" }] },
  },
  "one IPv6 before one IPv4": { isGateway: true, ipam: hostLocal(ranges("fd00:10::/64", "10.10.0.0/16")) },
  "two addresses of IPv6": { isGateway: true, ipam: TWO_OF_IPV6 },
  "layer 2": {},
};

export const ADDRESSES = [
  ...everyFamily("no gateway", {}),
  ...everyFamily("isGateway", { isGateway: true }),
  ...everyFamily("isDefaultGateway", { isDefaultGateway: true }),
  ...everyFamily("isGateway and isDefaultGateway", { isGateway: true, isDefaultGateway: true }),
  ...everyFamily("forceAddress on a new bridge", { isGateway: true, forceAddress: true }),
  ...everyFamily("mtu 1400", { isGateway: true, mtu: 1400 }),
  ...everyFamily("enabledad", { isGateway: true, enabledad: true }),
  ...everyFamily("enabledad without gateway", { enabledad: true }),

  one("two addresses of IPv4, no gateway", { ipam: TWO_OF_IPV4 }),
  one("two addresses of IPv4, isGateway", { isGateway: true, ipam: TWO_OF_IPV4 }),
  one("two addresses of IPv4, isGateway and forceAddress", {
    isGateway: true,
    forceAddress: true,
    ipam: TWO_OF_IPV4,
  }),
  one("two addresses of IPv6, isGateway", { isGateway: true, ipam: TWO_OF_IPV6 }),
  one("two addresses of IPv6, isDefaultGateway", { isDefaultGateway: true, ipam: TWO_OF_IPV6 }),
  one("two addresses of IPv6, enabledad", { isDefaultGateway: true, enabledad: true, ipam: TWO_OF_IPV6 }),
  one("two addresses of each family, no gateway", { ipam: TWO_OF_EACH }),
  one("IPv6 before IPv4, isDefaultGateway", {
    isDefaultGateway: true,
    ipam: hostLocal(ranges("fd00:10::/64", "10.10.0.0/16")),
  }),

  one("mtu 9000, isGateway", { isGateway: true, mtu: 9000, ipam: DUAL }),
  one("mtu 0, isGateway", { isGateway: true, mtu: 0, ipam: IPV4 }),
  one("mtu 1280, IPv6", { isGateway: true, mtu: 1280, ipam: IPV6 }),
  one("mtu 68, IPv4", { isGateway: true, mtu: 68, ipam: IPV4 }),
  one("mtu 65535", { isGateway: true, mtu: 65535, ipam: IPV4 }),
  one("hairpinMode", { isGateway: true, hairpinMode: true, ipam: IPV4 }),
  one("promiscMode", { isGateway: true, promiscMode: true, ipam: IPV4 }),
  one("portIsolation", { isGateway: true, portIsolation: true, ipam: IPV4 }),
  one("hairpinMode and portIsolation", {
    isGateway: true,
    hairpinMode: true,
    portIsolation: true,
    ipam: DUAL,
  }),
  one("every boolean false", {
    isGateway: false,
    isDefaultGateway: false,
    forceAddress: false,
    ipMasq: false,
    hairpinMode: false,
    promiscMode: false,
    macspoofchk: false,
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: false,
    preserveDefaultVlan: false,
    vlan: 0,
    mtu: 0,
    ipam: IPV4,
  }),
  one("every key null", {
    bridge: null,
    isGateway: null,
    ipMasq: null,
    ipMasqBackend: null,
    mtu: null,
    vlan: null,
    vlanTrunk: null,
    args: null,
    runtimeConfig: null,
    dns: null,
    prevResult: null,
    ipam: IPV4,
  }),
  one("preserveDefaultVlan without VLAN", { isGateway: true, preserveDefaultVlan: true, ipam: IPV4 }),
  life("bridge left out: cni0", {
    cniVersion: LATEST,
    name: "parity",
    type: "bridge",
    isGateway: true,
    ipam: IPV4,
  }),
  one("bridge of 15 bytes", { bridge: "br-123456789012", isGateway: true, ipam: IPV4 }),
  one("bridge with a dot in its name", { bridge: "br0.5", isGateway: true, ipam: DUAL }),
  life("keys in other letters", {
    cniversion: LATEST,
    NAME: "parity",
    Type: "bridge",
    BRIDGE: "br7",
    ISGATEWAY: true,
    Mtu: 1300,
    IPAM: IPV4,
  }),
  one("unknown keys", {
    isGateway: true,
    ipRange: "x",
    resolveConf: 1,
    bandwidth: {},
    ipam: { ...IPV4, extra: [1] },
  }),
  one("capabilities", {
    isGateway: true,
    capabilities: { ips: true, mac: true, portMappings: true },
    ipam: IPV4,
  }),

  one("gateway named by the IPAM, no isGateway", {
    ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/24", gateway: "10.10.0.254" }]] }),
  }),
  one("gateway named by the IPAM, isGateway", {
    isGateway: true,
    ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/24", gateway: "10.10.0.254" }]] }),
  }),
  one("gateway outside of the subnet, isGateway", {
    isGateway: true,
    ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/24", gateway: "10.10.9.1" }]] }),
  }),
  one("gateway outside of the subnet, isDefaultGateway", {
    isDefaultGateway: true,
    ipam: hostLocal({ ranges: [[{ subnet: "10.10.0.0/24", gateway: "10.10.9.1" }]] }),
  }),
  one("link-local IPv6 subnet", { isGateway: true, ipam: hostLocal(ranges("fe80:0:0:1::/64")) }),

  life("forwarding is on already", bridgeConfig({ isGateway: true, ipam: DUAL }), {
    before: [
      change(
        "turn forwarding on",
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
      ),
    ],
  }),
  life("IPv6 forwarding is 2", bridgeConfig({ isGateway: true, ipam: IPV6 }), {
    before: [change("forwarding 2", "echo 2 > /proc/sys/net/ipv6/conf/all/forwarding || true")],
  }),
  life("IPv6 is off in the container", bridgeConfig({ isGateway: true, ipam: DUAL }), {
    before: [
      change(
        "disable IPv6 inside",
        inside("c1", "for s in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$s/disable_ipv6; done"),
      ),
    ],
  }),
  life("IPv6 is off in the container, IPv4", bridgeConfig({ isGateway: true, ipam: IPV4 }), {
    before: [
      change(
        "disable IPv6 inside",
        inside("c1", "for s in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$s/disable_ipv6; done"),
      ),
    ],
  }),
  life("IPv6 is off on the host, IPv4", bridgeConfig({ isDefaultGateway: true, ipam: IPV4 }), {
    before: [
      change(
        "disable IPv6",
        "for s in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$s/disable_ipv6; done",
      ),
    ],
  }),
  life("IPv6 is off on the host, IPv6", bridgeConfig({ isGateway: true, ipam: IPV6 }), {
    before: [
      change(
        "disable IPv6",
        "for s in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$s/disable_ipv6; done",
      ),
    ],
  }),
  life("settings for new interfaces are strict", bridgeConfig({ isGateway: true, ipam: DUAL }), {
    before: [
      change(
        "strict settings",
        "echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter; echo 2 > /proc/sys/net/ipv6/conf/default/accept_ra; echo 0 > /proc/sys/net/ipv6/conf/default/autoconf",
      ),
    ],
  }),
  life("container's lo is up", bridgeConfig({ isGateway: true, ipam: DUAL }), {
    before: [change("lo up", inside("c1", "ip link set lo up"))],
  }),
  life("another interface name", bridgeConfig({ isGateway: true, ipam: DUAL }), { ifname: "net-1.5" }),
  life("interface name of 15 bytes", bridgeConfig({ isGateway: true, ipam: IPV4 }), {
    ifname: "abcdefghijklmno",
  }),
  life("container id with all kinds of characters", bridgeConfig({ isGateway: true, ipam: IPV4 }), {
    id: "0a_B.c-d",
  }),
  life("netns through /var/run", bridgeConfig({ isGateway: true, ipam: IPV4 }), {
    env: { CNI_NETNS: "/var/run/netns/c1" },
  }),

  ...Object.entries(EVERY_VERSION).flatMap(([name, keys]) =>
    VERSIONS.map((cniVersion) =>
      life(`version ${cniVersion}, ${name}`, bridgeConfig({ cniVersion, ...keys })),
    ),
  ),
  life("version left out", { name: "parity", type: "bridge", isGateway: true, ipam: IPV4 }),
  life("version empty", bridgeConfig({ cniVersion: "", isGateway: true, ipam: IPV4 })),
];
