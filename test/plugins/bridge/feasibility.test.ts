/** K19: errors name the key, the value and the remedy of what the kernel would refuse in a network. */
import { describe, expect, test } from "bun:test";
import { CniError } from "../../../src/cni/error.ts";
import { parseBridgeConfig } from "../../../src/plugins/bridge/config.ts";
import { requireFeasibleConfiguration } from "../../../src/plugins/bridge/feasibility.ts";
import { requestWith } from "./request.ts";

const V4 = { subnet: "10.77.0.0/24" };
const V6 = { subnet: "fd77::/64" };

/** The error, or "" when there is none. */
function judge(keys: object, args?: string): string {
  const request = requestWith(keys, args);
  try {
    requireFeasibleConfiguration(request, parseBridgeConfig(request));
    return "";
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    expect(error.code).toBe(7);
    return error.message;
  }
}

const routes = (list: object[], ...ranges: object[]) => ({
  ipam: { type: "host-local", ranges: ranges.map((range) => [range]), routes: list },
});
const gateway = (range: object, keys: object = { isGateway: true }) => ({
  ...keys,
  ipam: { type: "host-local", ranges: [[range]], routes: [{ dst: "0.0.0.0/0" }] },
});

/** Refused configurations, and what the message must contain: the key, the value and the remedy. */
const REFUSED: readonly [string, object, string[]][] = [
  ["host bits", routes([{ dst: "1.2.3.4/8" }], V4), ["ipam.routes[0].dst", "1.2.3.4/8", "1.0.0.0/8"]],
  [
    "an IPv6 gateway of an IPv4 route",
    routes([{ dst: "1.0.0.0/8", gw: "fd77::1" }], V4, V6),
    ["routes[0].gw", "fd77::1", "IPv4"],
  ],
  [
    "an IPv4 gateway of an IPv6 route",
    routes([{ dst: "2001::/16", gw: "10.77.0.1" }], V4, V6),
    ["routes[0].gw", "10.77.0.1", "IPv6"],
  ],
  [
    "broadcast",
    routes([{ dst: "0.0.0.0/0" }, { dst: "1.0.0.0/8", gw: "10.77.0.255" }], V4),
    ["routes[1].gw", "broadcast"],
  ],
  [
    "a network address as the gateway, beside a foreign key of the wrong type (A14)",
    gateway({ ...V4, address: 5, gateway: "10.77.0.0" }),
    ["ranges[0][0].gateway", "network address"],
  ],
  ["network", routes([{ dst: "1.0.0.0/8", gw: "10.77.0.0" }], V4), ["routes[0].gw", "network address"]],
  [
    "off link",
    routes([{ dst: "1.0.0.0/8", gw: "10.99.0.1" }], V4),
    ["routes[0].gw", "10.99.0.1", "10.77.0.0/24", "253"],
  ],
  [
    "a gateway that only a route of another table leads to",
    routes(
      [
        { dst: "10.99.0.0/24", scope: 253, table: 100 },
        { dst: "1.0.0.0/8", gw: "10.99.0.1" },
      ],
      V4,
    ),
    ["routes[1].gw", "10.99.0.1"],
  ],
  [
    "off link, IPv6",
    routes([{ dst: "2001::/16", gw: "fd99::1" }], V6),
    ["routes[0].gw", "fd99::1", "fd77::/64"],
  ],
  [
    "a gateway whose own route comes later",
    routes(
      [
        { dst: "1.0.0.0/8", gw: "10.99.0.1" },
        { dst: "10.99.0.0/24", scope: 253 },
      ],
      V4,
    ),
    ["routes[0].gw"],
  ],
  ["multicast", routes([{ dst: "1.0.0.0/8", gw: "224.0.0.1" }], V4), ["routes[0].gw", "multicast"]],
  ["loopback", routes([{ dst: "2001::/16", gw: "::1" }], V6), ["routes[0].gw", "loopback"]],
  ["unspecified", routes([{ dst: "2001::/16", gw: "::" }], V6), ["routes[0].gw", "unspecified"]],
  [
    "scope and gateway",
    routes([{ dst: "1.0.0.0/8", gw: "10.77.0.5", scope: 253 }], V4),
    ["routes[0].scope", "253"],
  ],
  ["scope nowhere", routes([{ dst: "1.0.0.0/8", scope: 255 }], V4), ["routes[0].scope", "255"]],
  ...["scope", "priority", "table", "mtu", "advmss"].flatMap((key): [string, object, string[]][] =>
    [-1, 2 ** 32].map((value) => [
      `${key} ${value}`,
      routes([{ dst: "1.0.0.0/8", [key]: value }], V4),
      [`ipam.routes[0].${key}`, String(value), "0 to"],
    ]),
  ),
  [
    "two mtus",
    routes(
      [
        { dst: "2001::/16", mtu: 1400 },
        { dst: "2001::1/16", mtu: 1300 },
      ],
      V6,
    ),
    ["routes[1].mtu", "ipam.routes[0]", "1400"],
  ],
  ["mtu with IPv6", { mtu: 1279, ipam: { type: "host-local", ...V6 } }, ["mtu: 1279", "fd77::/64", "1280"]],
  ["mtu with both", { mtu: 1000, ...routes([], V4, V6) }, ["mtu: 1000", "1280"]],
  [
    "gateway: broadcast",
    gateway({ ...V4, gateway: "10.77.0.255" }),
    ["ipam.ranges[0][0].gateway", "broadcast"],
  ],
  [
    "gateway: network",
    gateway({ ...V4, gateway: "10.77.0.0" }, {}),
    ["ipam.ranges[0][0].gateway", "network"],
  ],
  [
    "gateway: the other family",
    gateway({ ...V4, gateway: "fd77::1" }),
    ["ipam.ranges[0][0].gateway", "fd77::1"],
  ],
  ["gateway: off link", gateway({ ...V4, gateway: "10.99.0.1" }), ["ipam.ranges[0][0].gateway", "10.99.0.1"]],
  [
    "isDefaultGateway: off link",
    { isDefaultGateway: true, ipam: { ...V4, gateway: "10.99.0.1", type: "host-local" } },
    ["ipam.gateway", "10.99.0.1"],
  ],
  [
    "a subnet of the runtime",
    {
      runtimeConfig: { ipRanges: [[{ ...V4, gateway: "10.77.0.255" }]] },
      isGateway: true,
      ipam: { type: "host-local" },
    },
    ["runtimeConfig.ipRanges[0][0].gateway"],
  ],
  [
    "an address of static, /32",
    {
      ipam: {
        type: "static",
        addresses: [{ address: "10.0.0.5/32" }],
        routes: [{ dst: "1.0.0.0/8", gw: "10.0.0.1" }],
      },
    },
    ["ipam.routes[0].gw", "10.0.0.1", "10.0.0.5/32"],
  ],
  ["multicast subnet", routes([], { subnet: "ff05::/64" }), ["ipam.ranges[0][0].subnet", "ff05::"]],
];

/** Configurations that work with the reference, or that another program has to refuse. */
const ACCEPTED: readonly [string, object][] = [
  ["host bits in IPv6", routes([{ dst: "2001:db8::1/32" }], V6)],
  ["a link-local gateway", routes([{ dst: "::/0", gw: "fe80::1" }], V6)],
  ["a link-local gateway of a range", gateway({ ...V6, gateway: "fe80::1" })],
  ["a route twice", routes([{ dst: "0.0.0.0/0" }, { dst: "0.0.0.0/0" }], V4)],
  [
    "one destination, two gateways",
    routes(
      [
        { dst: "1.0.0.0/8", gw: "10.77.0.5" },
        { dst: "1.0.0.0/8", gw: "10.77.0.6" },
      ],
      V4,
    ),
  ],
  [
    "a gateway behind a route",
    routes(
      [
        { dst: "10.99.0.0/24", scope: 253 },
        { dst: "1.0.0.0/8", gw: "10.99.0.1" },
      ],
      V4,
    ),
  ],
  [
    "a gateway behind a route of its own table or of the main one",
    routes(
      [
        { dst: "10.98.0.0/24", scope: 253 },
        { dst: "10.99.0.0/24", scope: 253, table: 100 },
        { dst: "1.0.0.0/8", gw: "10.99.0.1", table: 100 },
        { dst: "2.0.0.0/8", gw: "10.98.0.1", table: 100 },
        { dst: "3.0.0.0/8", gw: "10.98.0.1", table: 254 },
      ],
      V4,
    ),
  ],
  ["0.0.0.0: no gateway", routes([{ dst: "1.0.0.0/8", gw: "0.0.0.0" }], V4)],
  [
    "the own subnet, multicast, the greatest numbers",
    routes(
      [
        { dst: "10.77.0.0/24" },
        { dst: "224.0.0.0/4" },
        { dst: "1.0.0.0/8", priority: 2 ** 32 - 1, table: 2 ** 32 - 1 },
      ],
      V4,
    ),
  ],
  ["a gateway that no route uses", { ipam: { type: "host-local", ...V4, gateway: "10.99.0.1" } }],
  [
    "a broadcast address that no route uses as its gateway",
    { ipam: { type: "host-local", ...V4, gateway: "10.77.0.255" } },
  ],
  ["subnet-router anycast", gateway({ ...V6, gateway: "fd77::" })],
  [
    "either of two addresses",
    {
      isGateway: true,
      ipam: {
        type: "static",
        addresses: [{ address: "10.0.0.1/31", gateway: "10.0.0.0" }],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    },
  ],
  ["routes of a family without an address (K18)", routes([{ dst: "2001::/16", gw: "fd99::1" }], V4)],
  ["mtu 1280 with IPv6, 68 without", { mtu: 1280, ...routes([], V6) }],
  [
    "errors that the IPAM plugin reports",
    { ipam: { type: "host-local", subnet: "10.1/24", routes: [{ dst: 7 }] } },
  ],
  ["a foreign key of a range (A14)", gateway({ ...V4, address: "ff02::1/16" })],
  [
    "a foreign key of a range, and an mtu without IPv6 (A14)",
    gateway({ ...V4, address: "fd00::/64" }, { mtu: 1000 }),
  ],
  ["an IPAM of another form", { ipam: { type: "other", routes: [{ dst: "1.2.3.4/8" }] } }],
];

describe("K19: the configuration", () => {
  test.each([...REFUSED])("refused: %s", (_what, keys, parts) => {
    const message = judge(keys);
    for (const part of parts) expect(message).toContain(part);
  });

  test.each([...ACCEPTED])("accepted: %s", (_what, keys) => {
    expect(judge(keys)).toBe("");
  });

  test.each<[string, object, string]>([
    ["runtimeConfig.ips", { runtimeConfig: { ips: ["10.78.0.8/24"] } }, ""],
    ["args.cni.ips", { args: { cni: { ips: ["10.78.0.8/24"] } } }, ""],
    ["IP of CNI_ARGS", {}, "IP=10.78.0.8/24"],
    ["the capability ips, as for STATUS", { capabilities: { ips: true } }, ""],
  ])("S2: the addresses of static are not the container's beside %s", (_what, keys, args) => {
    const ipam = {
      type: "static",
      addresses: [{ address: "10.77.0.5/24" }],
      routes: [{ dst: "1.0.0.0/8", gw: "10.78.0.9" }],
    };
    expect(judge({ ipam })).toContain("ipam.routes[0].gw");
    expect(judge({ ipam, runtimeConfig: { ips: [] }, capabilities: { ips: false } })).toContain(
      "ipam.routes[0].gw",
    );
    expect(judge({ ipam, ...keys }, args)).toBe("");
  });

  test("twenty thousand routes are verified in linear time", () => {
    const list = Array.from({ length: 20_000 }, (_, index) => ({
      dst: `1.${index >> 8}.${index & 255}.0/24`,
      ...(index % 2 === 0 ? { scope: 253 } : { gw: `1.${(index - 1) >> 8}.${(index - 1) & 255}.9` }),
    }));
    expect(judge(routes(list, V4))).toBe("");
  });
});
