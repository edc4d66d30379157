/** Routes of the IPAM and those that the bridge plugin adds. */
import { life } from "../../engine/case.ts";
import { DUAL, IPV4, IPV6, type Json, type JsonRecord, layer2, VERSIONS } from "../../engine/network.ts";

const withRoutes = (name: string, ipam: JsonRecord, routes: Json, keys: JsonRecord = { isGateway: true }) =>
  life(`routes: ${name}`, layer2({ ...keys, ipam: { ...ipam, routes } }));

const DEFAULT = { isDefaultGateway: true };

export const ROUTES = [
  withRoutes("without gateway", DUAL, [{ dst: "10.99.0.0/16" }, { dst: "fd00:99::/64" }]),
  withRoutes("without gateway, no isGateway", DUAL, [{ dst: "10.99.0.0/16" }, { dst: "fd00:99::/64" }], {}),
  withRoutes("with a gateway", DUAL, [
    { dst: "10.99.0.0/16", gw: "10.10.0.7" },
    { dst: "fd00:99::/64", gw: "fd00:10::7" },
  ]),
  withRoutes("host bits in the destination", IPV4, [{ dst: "10.99.1.2/16", gw: "10.10.0.7" }]),
  withRoutes("to one host", DUAL, [{ dst: "10.99.1.2/32" }, { dst: "fd00:99::1/128" }]),
  withRoutes("default of the IPAM", DUAL, [{ dst: "0.0.0.0/0" }, { dst: "::/0" }]),
  withRoutes("default of the IPAM, IPv4", IPV4, [{ dst: "0.0.0.0/0" }]),
  withRoutes("default of the IPAM, IPv6", IPV6, [{ dst: "::/0" }]),
  withRoutes("default of the IPAM with a gateway", DUAL, [
    { dst: "0.0.0.0/0", gw: "10.10.0.1" },
    { dst: "::/0", gw: "fd00:10::1" },
  ]),
  withRoutes(
    "default of the IPAM with a gateway and isDefaultGateway",
    DUAL,
    [
      { dst: "0.0.0.0/0", gw: "10.10.0.1" },
      { dst: "::/0", gw: "fd00:10::1" },
    ],
    DEFAULT,
  ),
  withRoutes(
    "default of the IPAM with another gateway and isDefaultGateway",
    IPV4,
    [{ dst: "0.0.0.0/0", gw: "10.10.0.9" }],
    DEFAULT,
  ),
  withRoutes(
    "default of the IPAM without gateway and isDefaultGateway",
    IPV4,
    [{ dst: "0.0.0.0/0" }],
    DEFAULT,
  ),
  withRoutes(
    "default of the IPAM without gateway and isDefaultGateway, IPv6",
    IPV6,
    [{ dst: "::/0" }],
    DEFAULT,
  ),
  withRoutes(
    "default of one family and isDefaultGateway",
    DUAL,
    [{ dst: "0.0.0.0/0", gw: "10.10.0.1" }],
    DEFAULT,
  ),
  withRoutes(
    "halves of the default and isDefaultGateway",
    IPV4,
    [{ dst: "0.0.0.0/1" }, { dst: "128.0.0.0/1" }],
    DEFAULT,
  ),
  withRoutes("priority", DUAL, [
    { dst: "10.99.0.0/16", priority: 7 },
    { dst: "fd00:99::/64", priority: 8 },
  ]),
  withRoutes(
    "default with a priority and isDefaultGateway",
    IPV4,
    [{ dst: "0.0.0.0/0", priority: 50, gw: "10.10.0.1" }],
    DEFAULT,
  ),
  withRoutes("table", DUAL, [
    { dst: "10.99.0.0/16", table: 100 },
    { dst: "fd00:99::/64", table: 100 },
  ]),
  withRoutes("table above 255", IPV4, [{ dst: "10.99.0.0/16", table: 70000 }]),
  withRoutes("table 0", IPV4, [{ dst: "10.99.0.0/16", table: 0 }]),
  withRoutes("scope link", IPV4, [{ dst: "10.99.0.0/16", scope: 253 }]),
  withRoutes("scope link, no gateway", IPV4, [{ dst: "10.99.0.0/16", scope: 253 }], {}),
  withRoutes("scope global", IPV4, [{ dst: "10.99.0.0/16", scope: 0 }]),
  withRoutes("scope site", IPV4, [{ dst: "10.99.0.0/16", scope: 200 }]),
  withRoutes("scope link, IPv6", IPV6, [{ dst: "fd00:99::/64", scope: 253 }]),
  withRoutes("priority, table and scope", IPV4, [
    { dst: "10.99.0.0/16", priority: 5, table: 200, scope: 0, gw: "10.10.0.8" },
  ]),
  withRoutes("mtu and advmss", IPV4, [{ dst: "10.99.0.0/16", mtu: 1300, advmss: 1200 }]),
  withRoutes("mtu and advmss, IPv6", IPV6, [{ dst: "fd00:99::/64", mtu: 1300, advmss: 1200 }]),
  withRoutes("zero mtu, advmss and priority", IPV4, [
    { dst: "10.99.0.0/16", mtu: 0, advmss: 0, priority: 0 },
  ]),
  withRoutes("one destination, two gateways, IPv4", IPV4, [
    { dst: "10.99.0.0/16", gw: "10.10.0.7" },
    { dst: "10.99.0.0/16", gw: "10.10.0.8" },
  ]),
  withRoutes("one destination, two gateways, IPv6", IPV6, [
    { dst: "fd00:99::/64", gw: "fd00:10::7" },
    { dst: "fd00:99::/64", gw: "fd00:10::8" },
  ]),
  withRoutes("one", IPV4, [{ dst: "10.99.0.0/16" }]),
  withRoutes("one, IPv6", IPV6, [{ dst: "fd00:99::/64" }]),
  withRoutes("twice the same", IPV4, [{ dst: "10.99.0.0/16" }, { dst: "10.99.0.0/16" }]),
  withRoutes("twice the same, IPv6", IPV6, [{ dst: "fd00:99::/64" }, { dst: "fd00:99::/64" }]),
  withRoutes("gateway that cannot be reached", IPV4, [{ dst: "10.99.0.0/16", gw: "192.0.2.1" }]),
  withRoutes("family of no address", IPV4, [{ dst: "fd00:99::/64" }]),
  withRoutes("the subnet itself", IPV4, [{ dst: "10.10.0.0/16" }]),
  withRoutes("none", IPV4, []),
  withRoutes("null", IPV4, null),
  ...VERSIONS.map((cniVersion) =>
    withRoutes(
      `all fields, version ${cniVersion}`,
      IPV4,
      [{ dst: "10.99.0.0/16", gw: "10.10.0.8", priority: 5, table: 200, scope: 0 }],
      { isGateway: true, cniVersion },
    ),
  ),
];
