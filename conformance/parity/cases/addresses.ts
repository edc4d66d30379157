/** Layer 3: what the container and the bridge get, family by family. */
import { change, life } from "../../engine/case.ts";
import {
  DUAL,
  hostLocal,
  IPV4,
  IPV6,
  inside,
  type JsonRecord,
  LATEST,
  layer2,
  VERSIONS,
} from "../../engine/network.ts";
import { BOOLEANS, FAMILIES, gateway, lives, NO_IPV6 } from "../tables.ts";

const TWO_OF_IPV4 = hostLocal(["10.10.0.0/16", "10.20.0.0/24"]);
const TWO_OF_IPV6 = hostLocal(["fd00:10::/64", "fd00:20::/112"]);
const TWO_OF_EACH = hostLocal(["10.10.0.0/16", "fd00:10::/64", "10.20.0.0/24", "fd00:20::/112"]);
const IPV6_FIRST = hostLocal(["fd00:10::/64", "10.10.0.0/16"]);

/** An ipam section with a gateway of its own. */
const via = (address: string): JsonRecord => ({
  type: "host-local",
  ranges: [[{ subnet: "10.10.0.0/24", gateway: address }]],
});

/** With each of FAMILIES. */
const OF_EVERY_FAMILY: Readonly<Record<string, JsonRecord>> = {
  "no gateway": {},
  isGateway: { isGateway: true },
  isDefaultGateway: { isDefaultGateway: true },
  "isGateway and isDefaultGateway": { isGateway: true, isDefaultGateway: true },
  "forceAddress on a new bridge": { isGateway: true, forceAddress: true },
  "mtu 1400": { isGateway: true, mtu: 1400 },
  enabledad: { isGateway: true, enabledad: true },
  "enabledad without gateway": { enabledad: true },
};

const NULLS = [
  ...["bridge", "isGateway", "ipMasq", "ipMasqBackend", "mtu", "vlan", "vlanTrunk", "args"],
  ...["runtimeConfig", "dns", "prevResult"],
];

const DNS = {
  nameservers: ["10.10.0.1"],
  domain: "example.org",
  search: ["a.example.org"],
  options: ["ndots:2"],
};

/** What every version of the protocol must be able to say. */
const EVERY_VERSION: Readonly<Record<string, JsonRecord>> = {
  "isGateway, IPv4": { isGateway: true, ipam: IPV4 },
  "isDefaultGateway, dual-stack": { isDefaultGateway: true, ipam: DUAL },
  "dns and a route, IPv6": {
    isGateway: true,
    dns: DNS,
    ipam: { ...IPV6, routes: [{ dst: "fd00:99::/64", gw: "fd00:10::9" }] },
  },
  "one IPv6 before one IPv4": { isGateway: true, ipam: IPV6_FIRST },
  "two addresses of IPv6": { isGateway: true, ipam: TWO_OF_IPV6 },
  "layer 2": {},
};

/** A life in a host or a container that was changed before. */
const after = (name: string, label: string, script: string, keys: JsonRecord) =>
  life(name, layer2(keys), { before: [change(label, script)] });

export const ADDRESSES = [
  ...Object.entries(OF_EVERY_FAMILY).flatMap(([name, keys]) =>
    Object.entries(FAMILIES).map(([family, ipam]) => life(`${name}, ${family}`, layer2({ ...keys, ipam }))),
  ),
  ...lives({
    "two addresses of IPv4, no gateway": { ipam: TWO_OF_IPV4 },
    "two addresses of IPv4, isGateway": { isGateway: true, ipam: TWO_OF_IPV4 },
    "two addresses of IPv4, isGateway and forceAddress": gateway({ forceAddress: true, ipam: TWO_OF_IPV4 }),
    "two addresses of IPv6, isGateway": { isGateway: true, ipam: TWO_OF_IPV6 },
    "two addresses of IPv6, isDefaultGateway": { isDefaultGateway: true, ipam: TWO_OF_IPV6 },
    "two addresses of IPv6, enabledad": { isDefaultGateway: true, enabledad: true, ipam: TWO_OF_IPV6 },
    "two addresses of each family, no gateway": { ipam: TWO_OF_EACH },
    "IPv6 before IPv4, isDefaultGateway": { isDefaultGateway: true, ipam: IPV6_FIRST },
    "mtu 9000, isGateway": gateway({ mtu: 9000, ipam: DUAL }),
    "mtu 0, isGateway": gateway({ mtu: 0 }),
    "mtu 1280, IPv6": gateway({ mtu: 1280, ipam: IPV6 }),
    "mtu 68, IPv4": gateway({ mtu: 68 }),
    "mtu 65535": gateway({ mtu: 65535 }),
    hairpinMode: gateway({ hairpinMode: true }),
    promiscMode: gateway({ promiscMode: true }),
    portIsolation: gateway({ portIsolation: true }),
    "hairpinMode and portIsolation": gateway({ hairpinMode: true, portIsolation: true, ipam: DUAL }),
    "every boolean false": {
      ...Object.fromEntries(BOOLEANS.map((key) => [key, false])),
      vlan: 0,
      mtu: 0,
      ipam: IPV4,
    },
    "every key null": {
      ...Object.fromEntries(NULLS.map((key) => [key, null])),
      ipam: IPV4,
    },
    "preserveDefaultVlan without VLAN": gateway({ preserveDefaultVlan: true }),
    "bridge of 15 bytes": gateway({ bridge: "br-123456789012" }),
    "bridge with a dot in its name": gateway({ bridge: "br0.5", ipam: DUAL }),
    "unknown keys": gateway({ ipRange: "x", resolveConf: 1, bandwidth: {}, ipam: { ...IPV4, extra: [1] } }),
    capabilities: gateway({ capabilities: { ips: true, mac: true, portMappings: true } }),
    "gateway named by the IPAM, no isGateway": { ipam: via("10.10.0.254") },
    "gateway named by the IPAM, isGateway": { isGateway: true, ipam: via("10.10.0.254") },
    "gateway outside of the subnet, isGateway": { isGateway: true, ipam: via("10.10.9.1") },
    "gateway outside of the subnet, isDefaultGateway": { isDefaultGateway: true, ipam: via("10.10.9.1") },
    "link-local IPv6 subnet": { isGateway: true, ipam: hostLocal(["fe80:0:0:1::/64"]) },
    "version empty": gateway({ cniVersion: "" }),
  }),
  life("bridge left out: cni0", {
    cniVersion: LATEST,
    name: "net",
    type: "bridge",
    isGateway: true,
    ipam: IPV4,
  }),
  life("keys in other letters", {
    cniversion: LATEST,
    NAME: "net",
    Type: "bridge",
    BRIDGE: "br7",
    ISGATEWAY: true,
    Mtu: 1300,
    IPAM: IPV4,
  }),
  life("version left out", { name: "net", type: "bridge", isGateway: true, ipam: IPV4 }),
  after(
    "forwarding is on already",
    "turn forwarding on",
    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    gateway({ ipam: DUAL }),
  ),
  after(
    "IPv6 forwarding is 2",
    "forwarding 2",
    "echo 2 > /proc/sys/net/ipv6/conf/all/forwarding || true",
    gateway({ ipam: IPV6 }),
  ),
  after(
    "IPv6 is off in the container",
    "disable IPv6 inside",
    inside("c1", NO_IPV6),
    gateway({ ipam: DUAL }),
  ),
  after("IPv6 is off in the container, IPv4", "disable IPv6 inside", inside("c1", NO_IPV6), gateway()),
  after("IPv6 is off on the host, IPv4", "disable IPv6", NO_IPV6, { isDefaultGateway: true, ipam: IPV4 }),
  after("IPv6 is off on the host, IPv6", "disable IPv6", NO_IPV6, gateway({ ipam: IPV6 })),
  after(
    "settings for new interfaces are strict",
    "strict settings",
    "echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter; echo 2 > /proc/sys/net/ipv6/conf/default/accept_ra; echo 0 > /proc/sys/net/ipv6/conf/default/autoconf",
    gateway({ ipam: DUAL }),
  ),
  after("container's lo is up", "lo up", inside("c1", "ip link set lo up"), gateway({ ipam: DUAL })),
  life("another interface name", layer2(gateway({ ipam: DUAL })), { ifname: "net-1.5" }),
  life("interface name of 15 bytes", layer2(gateway()), { ifname: "abcdefghijklmno" }),
  life("container id with all kinds of characters", layer2(gateway()), { id: "0a_B.c-d" }),
  life("netns through /var/run", layer2(gateway()), { env: { CNI_NETNS: "/var/run/netns/c1" } }),
  ...Object.entries(EVERY_VERSION).flatMap(([name, keys]) =>
    VERSIONS.map((cniVersion) => life(`version ${cniVersion}, ${name}`, layer2({ cniVersion, ...keys }))),
  ),
];
