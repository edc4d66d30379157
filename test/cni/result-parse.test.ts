import { describe, expect, test } from "bun:test";
import { emptyResult } from "../../src/cni/result.ts";
import { parseResult } from "../../src/cni/result-parse.ts";
import type { Version } from "../../src/cni/version.ts";
import { prefix, thrownBy } from "./fake-host.ts";

const parse = (document: object, fallback: Version = "1.1.0") =>
  parseResult(document, "prevResult", fallback);

describe("a value of the wrong kind is named by its path", () => {
  test.each([
    [{ cniVersion: "5678.456" }, 'key "prevResult.cniVersion" must be one of 0.1.0, '],
    [{ cniVersion: 1 }, 'key "prevResult.cniVersion" must be a string, not 1'],
    [{ ips: {} }, 'key "prevResult.ips" must be an array, not an object'],
    [{ ips: [null] }, 'key "prevResult.ips[0]" must be an object, not null'],
    [
      { ips: [{}] },
      'key "prevResult.ips[0].address" is missing; it must be an IP address with its prefix length',
    ],
    [
      { ips: [{ address: "10.0.0.1" }] },
      'key "prevResult.ips[0].address" must be an IP address with its prefix length',
    ],
    [{ ips: [{ address: "10.0.0.1/33" }] }, 'not "10.0.0.1/33"'],
    [{ ips: [{ address: 5 }] }, 'key "prevResult.ips[0].address" must be a string, not 5'],
    [
      { ips: [{ address: "10.0.0.1/24", gateway: "x" }] },
      'key "prevResult.ips[0].gateway" must be an IP address',
    ],
    [
      { ips: [{ address: "10.0.0.1/24", interface: "0" }] },
      'key "prevResult.ips[0].interface" must be a whole',
    ],
    [{ interfaces: [{}] }, 'key "prevResult.interfaces[0].name" is missing'],
    [{ interfaces: [{ name: "" }] }, 'key "prevResult.interfaces[0].name" is missing; it must be'],
    [{ interfaces: [{ name: "a", mac: 1 }] }, 'key "prevResult.interfaces[0].mac" must be a string'],
    [{ interfaces: [{ name: "a", mtu: "1" }] }, 'key "prevResult.interfaces[0].mtu" must be a whole number'],
    [{ routes: [{ dst: "0.0.0.0/0" }, {}] }, 'key "prevResult.routes[1].dst" is missing'],
    [{ routes: [{ dst: "0.0.0.0/0", gw: "10" }] }, 'key "prevResult.routes[0].gw" must be an IP address'],
    [
      { routes: [{ dst: "0.0.0.0/0", table: "main" }] },
      'key "prevResult.routes[0].table" must be a whole number',
    ],
    [{ dns: [] }, 'key "prevResult.dns" must be an object'],
    [{ dns: { search: ["a", 1] } }, 'key "prevResult.dns.search[1]" must be a string, not 1'],
    [{ cniVersion: "0.2.0", ip4: { gateway: "x" } }, 'key "prevResult.ip4.ip" is missing'],
    [{ cniVersion: "0.2.0", ip4: { ip: "fd00::1/64" } }, 'key "prevResult.ip4.ip" must be an IPv4 address'],
    [{ cniVersion: "0.1.0", ip6: { ip: "10.0.0.1/8" } }, 'key "prevResult.ip6.ip" must be an IPv6 address'],
    [
      { cniVersion: "0.2.0", ip6: { ip: "fd00::1/64", routes: [1] } },
      'key "prevResult.ip6.routes[0]" must be',
    ],
  ])("%j", (document, message) => {
    const error = thrownBy(() => parse(document));
    expect(error.code).toBe(6);
    expect(error.message).toContain(message);
  });
});

test("A48: a result with no version or an empty one has the configuration's", () => {
  const old = { ip4: { ip: "10.0.0.1/8" } };
  const ips = [{ address: prefix("10.0.0.1/8") }];
  expect(parse(old, "0.2.0").ips).toEqual(ips);
  expect(parse({ cniVersion: "", ips: [{ address: "10.0.0.1/8" }] }, "1.1.0").ips).toEqual(ips);
  expect(parse({ ...old, cniVersion: "0.2.0" }, "1.1.0").ips).toEqual(ips);
  expect(parse({ ...old, cniVersion: "1.0.0" }, "0.2.0").ips).toEqual([]);
});

test("an empty object is an empty result", () => {
  expect(parse({})).toEqual(emptyResult());
  expect(parse({ ips: null, interfaces: [], routes: null, dns: {} })).toEqual(emptyResult());
});

test("empty texts and meaningless zeros count as absent, table 0 and scope 0 do not", () => {
  const route = { dst: "10.0.0.0/8", gw: "", mtu: 0, advmss: 0, priority: 0, table: 0, scope: 0 };
  const document = {
    interfaces: [{ name: "a", mac: "", mtu: 0, sandbox: "", socketPath: "", pciID: "" }],
    ips: [{ address: "10.0.0.1/8", gateway: "" }],
    routes: [route],
    dns: { nameservers: [], domain: "", search: [], options: [] },
  };
  expect(parse(document)).toStrictEqual({
    interfaces: [{ name: "a" }],
    ips: [{ address: prefix("10.0.0.1/8") }],
    routes: [{ dst: prefix("10.0.0.0/8"), table: 0, scope: 0 }],
    dns: {},
  });
});

test("A14: unknown keys are accepted", () => {
  expect(
    parse({ a: 1, dns: { b: 1 }, ips: [{ address: "10.0.0.1/8", version: "4", c: 1 }] }).ips,
  ).toHaveLength(1);
});
