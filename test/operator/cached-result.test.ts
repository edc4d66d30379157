/** O13, A21: results in libcni's cache are read in the version in which the runtime has stored them. */
import { describe, expect, test } from "bun:test";
import { formatIp } from "../../src/net/ip.ts";
import type { CachedAttachment } from "../../src/operator/cache.ts";
import { addressesOf, hostInterfaces, ownInterface } from "../../src/operator/cached-result.ts";

const cached = (result: object | undefined, cniVersion?: string): CachedAttachment => ({
  ...{ file: "", network: "net1", containerId: "c1", ifname: "eth0", netns: "/run/netns/c1" },
  ...{ cniArgs: [], capabilityArgs: {} },
  config: cniVersion === undefined ? undefined : { cniVersion },
  result: result as CachedAttachment["result"],
});

const addresses = (result: object | undefined, cniVersion?: string): string[] =>
  addressesOf(cached(result, cniVersion)).map(formatIp);

const MAC = "02:00:00:00:00:01";
const INTERFACES = [
  { name: "br0", mac: "0E:00:00:00:00:01" },
  { name: "veth1", mac: "0e:00:00:00:00:02" },
  { name: "eth0", mac: MAC, sandbox: "/run/netns/c1" },
  { name: "eth1", mac: "02:00:00:00:00:09", sandbox: "/run/netns/c1" },
];

describe("O13, A21: the addresses of a cached result", () => {
  test.each([
    ["0.1.0", { ip4: { ip: "10.1.2.3/24" }, ip6: { ip: "fd00::3/64" } }],
    ["0.2.0", { cniVersion: "0.2.0", ip4: { ip: "10.1.2.3/24" }, ip6: { ip: "fd00::3/64" } }],
    [
      "0.3.1",
      { cniVersion: "0.3.1", ips: [{ version: "4", address: "10.1.2.3/24" }, { address: "fd00::3/64" }] },
    ],
    ["1.1.0", { cniVersion: "1.1.0", ips: [{ address: "10.1.2.3/24" }, { address: "fd00::3/64" }] }],
  ])("in version %s", (version, result) => {
    expect(addresses(result, version)).toEqual(["10.1.2.3", "fd00::3"]);
  });

  test("without any version are those of the oldest form", () => {
    expect(addresses({ ip4: { ip: "10.1.2.3/24" } })).toEqual(["10.1.2.3"]);
  });

  test("are those of the container's interface, or of none", () => {
    const ips = [
      { address: "10.1.2.3/24", interface: 2 },
      { address: "10.9.2.3/24", interface: 3 },
      { address: "10.1.2.4/24" },
    ];
    const result = { cniVersion: "1.0.0", interfaces: INTERFACES, ips };
    expect(addresses(result)).toEqual(["10.1.2.3", "10.1.2.4"]);
  });

  test("are none if there is no result, or if it cannot be decoded", () => {
    expect(addresses(undefined)).toEqual([]);
    expect(addresses({ cniVersion: "1.0.0", ips: [{ address: "nonsense" }] })).toEqual([]);
    expect(addresses({ cniVersion: "9.0.0", ips: [{ address: "10.1.2.3/24" }] })).toEqual([]);
  });
});

test("O13: the interfaces of a cached result, on the host and in the container", () => {
  const one = cached({ cniVersion: "1.0.0", interfaces: INTERFACES });
  expect(hostInterfaces(one).map(({ name }) => name)).toEqual(["br0", "veth1"]);
  expect(ownInterface(one)?.mac).toBe(MAC);
  expect(ownInterface(cached({ ip4: { ip: "10.1.2.3/24" } }))).toBeUndefined();
});
