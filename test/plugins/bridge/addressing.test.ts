/** Gateways and routes from the IPAM plugin's result (B19, B20, B23, G13). */
import { describe, expect, test } from "bun:test";
import type { IpConfig, Result, Route } from "../../../src/cni/result.ts";
import { effectiveGateway } from "../../../src/links/routes.ts";
import { formatIp, type IpAddress, parseIp } from "../../../src/net/ip.ts";
import { formatPrefix, type Prefix, parsePrefix } from "../../../src/net/prefix.ts";
import { planAddressing } from "../../../src/plugins/bridge/addressing.ts";
import { parseBridgeConfig } from "../../../src/plugins/bridge/config.ts";
import { requestWith } from "./request.ts";

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}
function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const lease = (address: string, gateway?: string): IpConfig => ({
  address: prefix(address),
  ...(gateway !== undefined && { gateway: ip(gateway) }),
});
const route = (dst: string, gw?: string, more: object = {}): Route => ({
  dst: prefix(dst),
  ...(gw !== undefined && { gw: ip(gw) }),
  ...more,
});

function plan(keys: object, ips: IpConfig[], routes: Route[] = []) {
  const ipam: Result = { interfaces: [], ips, routes, dns: {} };
  const { gateways, leftOut, ...planned } = planAddressing(ipam, parseBridgeConfig(requestWith(keys)), 2);
  return {
    gateways: gateways.map(formatPrefix),
    ips: planned.ips.map(({ address, gateway, interface: index }) => [
      formatPrefix(address),
      gateway && formatIp(gateway),
      index,
    ]),
    routes: planned.routes.map(({ dst, gw }) =>
      gw === undefined ? formatPrefix(dst) : `${formatPrefix(dst)} via ${formatIp(gw)}`,
    ),
  };
}

describe("planAddressing", () => {
  test("K18: routes of a family without an address are left out, for both families", () => {
    const all = [
      route("::/0"),
      route("0.0.0.0/0"),
      route("2001:db8::/32", "fe80::1"),
      route("1.0.0.0/8", undefined, { scope: 253 }),
    ];
    const planned = (address: string) => {
      const ipam = { interfaces: [], ips: [lease(address)], routes: all, dns: {} };
      const { routes, leftOut } = planAddressing(ipam, parseBridgeConfig(requestWith({})), 2);
      return [routes, leftOut].map((list) => list.map(({ dst }) => formatPrefix(dst)));
    };
    expect(planned("10.0.0.9/24")).toEqual([
      ["0.0.0.0/0", "1.0.0.0/8"],
      ["::/0", "2001:db8::/32"],
    ]);
    expect(planned("fd00::9/64")).toEqual([
      ["::/0", "2001:db8::/32"],
      ["0.0.0.0/0", "1.0.0.0/8"],
    ]);
  });

  test("K19: two notations of a route are one route; another gateway, table or priority makes another route", () => {
    const ips = [lease("10.0.0.9/24", "10.0.0.1"), lease("fd00::9/64", "fd00::1")];
    const one = [
      route("0.0.0.0/0"),
      route("0.0.0.0/0", "10.0.0.1"),
      route("0.0.0.0/0", undefined, { table: 254, priority: 0 }),
      route("2001:db8::1/32"),
      route("2001:db8::2/32", "fd00::1", { priority: 1024 }),
    ];
    const others = [
      route("0.0.0.0/0", "10.0.0.2"),
      route("0.0.0.0/0", undefined, { table: 7 }),
      route("0.0.0.0/0", undefined, { priority: 7 }),
      route("0.0.0.0/0", undefined, { mtu: 1400 }),
    ];
    expect(plan({}, ips, [...one, ...others]).routes).toEqual([
      "0.0.0.0/0",
      "2001:db8::1/32",
      "0.0.0.0/0 via 10.0.0.2",
      "0.0.0.0/0",
      "0.0.0.0/0",
      "0.0.0.0/0",
    ]);
  });

  test("B19: addresses are of interface 2; with isGateway the first address is the default gateway", () => {
    expect(plan({}, [lease("10.0.0.9/24")])).toEqual({
      gateways: [],
      ips: [["10.0.0.9/24", undefined, 2]],
      routes: [],
    });
    expect(plan({ isGateway: true }, [lease("10.0.0.9/20"), lease("fd00::9/64", "fd00::7")])).toEqual({
      gateways: ["10.0.0.1/20", "fd00::7/64"],
      ips: [
        ["10.0.0.9/20", "10.0.0.1", 2],
        ["fd00::9/64", "fd00::7", 2],
      ],
      routes: [],
    });
  });

  test("B20: one default route for each family that has an address", () => {
    const both = [
      lease("10.0.0.9/24", "10.0.0.1"),
      lease("10.1.0.9/24", "10.1.0.1"),
      lease("fd00::9/64", "fd00::1"),
    ];
    expect(plan({ isDefaultGateway: true }, both).routes).toEqual([
      "0.0.0.0/0 via 10.0.0.1",
      "::/0 via fd00::1",
    ]);
    expect(plan({ isDefaultGateway: true }, both.slice(0, 2)).routes).toEqual(["0.0.0.0/0 via 10.0.0.1"]);
  });

  test("B20: default routes are in the order of the addresses", () => {
    const ips = [lease("fd00::9/64", "fd00::1"), lease("10.0.0.9/24", "10.0.0.1")];
    expect(plan({ isDefaultGateway: true }, ips).routes).toEqual([
      "::/0 via fd00::1",
      "0.0.0.0/0 via 10.0.0.1",
    ]);
  });

  test("B20, G13: no default route is added if the IPAM plugin gave one, with or without a gateway", () => {
    const ips = [lease("10.0.0.9/24", "10.0.0.1")];
    expect(plan({ isDefaultGateway: true }, ips, [route("0.0.0.0/0")]).routes).toEqual(["0.0.0.0/0"]);
    expect(plan({ isDefaultGateway: true }, ips, [route("0.0.0.0/0", "10.0.0.7")]).routes).toEqual([
      "0.0.0.0/0 via 10.0.0.7",
    ]);
  });
});

describe("effectiveGateway", () => {
  const ips = [lease("10.0.0.9/24"), lease("10.1.0.9/24", "10.1.0.1"), lease("fd00::9/64", "fd00::1")];
  const gateway = (each: Route) => {
    const found = effectiveGateway(each, ips);
    return found === undefined ? undefined : formatIp(found);
  };
  test("B23: a route uses its own gateway or the first of its family, and none for link scope", () => {
    expect(gateway(route("192.0.2.0/24", "10.0.0.5"))).toBe("10.0.0.5");
    expect(gateway(route("192.0.2.0/24"))).toBe("10.1.0.1");
    expect(gateway(route("2001:db8::/32"))).toBe("fd00::1");
    expect(gateway(route("192.0.2.0/24", undefined, { scope: 253 }))).toBeUndefined();
    expect(effectiveGateway(route("192.0.2.0/24"), [])).toBeUndefined();
  });
});
