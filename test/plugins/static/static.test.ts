/** The commands of static called as functions, without the protocol. */
import { describe, expect, test } from "bun:test";
import type { CniError } from "../../../src/cni/error.ts";
import { formatResult } from "../../../src/cni/result-format.ts";
import { staticPlugin } from "../../../src/plugins/static/index.ts";
import { add, check, status } from "../../../src/plugins/static/static.ts";
import { thrownBy } from "../../cni/fake-host.ts";
import { requestOf } from "../../support/host-local-call.ts";

const networkOf = (ipam: object, whole: object = {}): object => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "bridge",
  ipam: { type: "static", ...ipam },
  ...whole,
});

interface Given {
  readonly ipam?: object;
  readonly whole?: object;
  readonly args?: string;
}

const requestFor = (
  command: "ADD" | "CHECK" | "STATUS",
  { ipam = {}, whole, args = "" }: Given,
  lines: string[] = [],
) => requestOf(command, { config: networkOf(ipam, whole), args, lines });

/** The result as it is printed. */
function printed(given: Given, lines: string[] = []): Record<string, unknown> {
  const request = requestFor("ADD", given, lines);
  return JSON.parse(formatResult(add(request), request.config.cniVersion)) as Record<string, unknown>;
}

/** "10.1.0.5/24 gw 10.1.0.1" for each address of the result. */
const addresses = (given: Given): string[] =>
  ((printed(given).ips ?? []) as { address: string; gateway?: string }[]).map(
    ({ address, gateway }) => address + (gateway === undefined ? "" : ` gw ${gateway}`),
  );

const failure = (given: Given): CniError => thrownBy(() => printed(given));

const ONE = { addresses: [{ address: "10.1.0.5/24", gateway: "10.1.0.1" }] };

describe("S2: where addresses come from", () => {
  test.each<[string, Given, string[]]>([
    ["S1: no address", {}, []],
    [
      "S1: the configuration, in its order",
      { ipam: { addresses: [{ address: "fd00::5/64" }, { address: "10.1.0.5/24", gateway: "10.1.0.1" }] } },
      ["fd00::5/64", "10.1.0.5/24 gw 10.1.0.1"],
    ],
    [
      "IP of CNI_ARGS is appended, GATEWAY goes where its network is",
      { ipam: ONE, args: "IP=10.2.0.5/24, fd00::5/64;GATEWAY=10.2.0.1,fd00::1" },
      ["10.1.0.5/24 gw 10.1.0.1", "10.2.0.5/24 gw 10.2.0.1", "fd00::5/64 gw fd00::1"],
    ],
    [
      "GATEWAY goes to addresses of the configuration as well",
      { ipam: ONE, args: "GATEWAY=10.1.0.9" },
      ["10.1.0.5/24 gw 10.1.0.9"],
    ],
    [
      "args.cni.ips replaces both",
      { ipam: ONE, args: "IP=10.2.0.5/24", whole: { args: { cni: { ips: ["10.3.0.5/24"] } } } },
      ["10.3.0.5/24"],
    ],
    [
      "runtimeConfig.ips replaces all, and GATEWAY is not theirs",
      {
        ipam: ONE,
        args: "IP=10.2.0.5/24;GATEWAY=10.4.0.1",
        whole: { args: { cni: { ips: ["10.3.0.5/24"] } }, runtimeConfig: { ips: ["10.4.0.5/24"] } },
      },
      ["10.4.0.5/24"],
    ],
    [
      "empty lists replace nothing",
      { ipam: ONE, whole: { args: { cni: { ips: [] } }, runtimeConfig: { ips: [] } } },
      ["10.1.0.5/24 gw 10.1.0.1"],
    ],
    [
      "S3: addresses that are replaced need not be valid",
      { ipam: { addresses: [{ address: "nonsense" }] }, whole: { runtimeConfig: { ips: ["10.4.0.5/24"] } } },
      ["10.4.0.5/24"],
    ],
    ["S7: MAC beside IP", { args: "MAC=02:00:00:00:00:01;IP=10.2.0.5/24" }, ["10.2.0.5/24"]],
  ])("%s", (_what, given, expected) => {
    expect(addresses(given)).toEqual(expected);
  });

  test("a gateway that no network contains is reported", () => {
    const lines: string[] = [];
    printed({ ipam: ONE, args: "GATEWAY=10.9.0.1" }, lines);
    expect(lines).toEqual([expect.stringContaining("10.9.0.1")]);
  });

  test("S7: an unknown key of CNI_ARGS is an error", () => {
    expect(failure({ ipam: ONE, args: "COLOUR=red" }).message).toContain('unknown args ["COLOUR=red"]');
  });
});

test("S6: routes with all their fields, and dns", () => {
  const route = {
    advmss: 1260,
    dst: "192.0.2.0/24",
    gw: "10.1.0.9",
    mtu: 1300,
    priority: 7,
    scope: 0,
    table: 9,
  };
  const dns = {
    domain: "example.org",
    nameservers: ["10.1.0.2"],
    options: ["ndots:1"],
    search: ["a.example.org"],
  };
  for (const cniVersion of ["0.3.1", "1.0.0", "1.1.0"])
    expect(printed({ ipam: { ...ONE, routes: [route], dns }, whole: { cniVersion } })).toMatchObject({
      routes: [route],
      dns,
    });
});

describe("S5: versions with room for one address of each family", () => {
  const both = { addresses: [{ address: "10.1.0.5/24" }, { address: "fd00::5/64" }] };
  const two = { addresses: [{ address: "10.1.0.5/24" }, { address: "10.1.0.6/24" }] };
  test.each(["0.1.0", "0.2.0"])("%s", (cniVersion) => {
    expect(printed({ ipam: both, whole: { cniVersion } })).toMatchObject({
      ip4: { ip: "10.1.0.5/24" },
      ip6: { ip: "fd00::5/64" },
    });
    const error = failure({ ipam: two, whole: { cniVersion } });
    expect(error.message).toBe(`CNI version ${cniVersion} does not support more than 1 address per family`);
    expect(error).toMatchObject({ code: 7, remark: expect.stringContaining("2 addresses are IPv4") });
    expect(thrownBy(() => add(requestFor("ADD", { whole: { cniVersion } }))).message).toBe(
      "cannot convert: no valid IP addresses",
    );
  });
});

describe("an error names the key", () => {
  const at = (address: string, gateway?: string): Given => ({
    ipam: { addresses: [{ address: "10.9.0.5/24" }, { address, gateway }] },
  });
  test.each<[string, Given, string, string?]>([
    ["S1: no ipam", { whole: { ipam: null } }, "IPAM config missing 'ipam' key"],
    [
      "S3: no prefix length",
      at("10.1.0.5"),
      "the 'address' field is expected to be in CIDR notation, got: '10.1.0.5'",
      "ipam.addresses[1].address",
    ],
    [
      "S3: no address at all",
      { ipam: { addresses: [{}] } },
      "the 'address' field is expected to be in CIDR notation, got: ''",
    ],
    [
      "S3: in IP",
      { args: "IP=10.1.0.5/24,10.1.0.6" },
      "the 'ip' field is expected to be in CIDR notation, got: '10.1.0.6'",
      "CNI_ARGS IP[1]",
    ],
    [
      "S3: in args.cni.ips, also when they are replaced",
      { whole: { args: { cni: { ips: ["10.1.0.6"] } }, runtimeConfig: { ips: ["10.1.0.5/24"] } } },
      "an entry in the 'ips' field is NOT in CIDR notation, got: '10.1.0.6'",
      "args.cni.ips[0]",
    ],
    [
      "S3: in runtimeConfig.ips",
      { whole: { runtimeConfig: { ips: ["10.1.0.5/24", ""] } } },
      "an entry in the 'ips' field is NOT in CIDR notation, got: ''",
      "runtimeConfig.ips[1]",
    ],
    [
      "S2: in GATEWAY",
      { args: "IP=10.1.0.5/24;GATEWAY=10.1.0.1,x" },
      'invalid gateway address: x: CNI_ARGS GATEWAY[1] must be an IP address, as in "10.1.2.1"',
    ],
  ])("%s", (_what, given, message, remark = "") => {
    const error = failure(given);
    expect(error).toMatchObject({ code: 7, message });
    expect(error.remark).toContain(remark);
  });

  test.each<[string, Given, string]>([
    ["the network", at("10.1.0.0/24"), "10.1.0.0/24 is the address of the network itself"],
    ["the network of IPv6", at("fd00::/64"), "fd00::/64 is the address of the network itself"],
    ["the broadcast address", at("10.1.0.255/24"), "10.1.0.255/24 is the broadcast address of its network"],
    ["no address", at("0.0.0.0/0"), "0.0.0.0/0 is not an address"],
    ["a multicast address", at("224.0.0.5/24"), "224.0.0.5/24 is a multicast address"],
    [
      "the same twice",
      at("10.9.0.5/24"),
      "10.9.0.5/24 is listed before, in ipam.addresses[0].address; remove one",
    ],
    [
      "a gateway of the other family",
      at("10.1.0.5/24", "fd00::1"),
      "10.1.0.5/24 has gateway fd00::1, which is IPv6",
    ],
  ])("S4: %s", (_what, given, problem) => {
    const error = failure(given);
    expect(error.code).toBe(7);
    expect(error.message).toStartWith(`ipam.addresses[1].address: ${problem}`);
    expect(thrownBy(() => status(requestFor("STATUS", given))).message).toBe(error.message);
  });

  test("S4: an IPv4 address in the form of IPv6 is refused, since its length may be meant for either", () => {
    expect(failure(at("::ffff:10.1.0.5/120"))).toMatchObject({
      code: 7,
      remark: expect.stringContaining("addresses[1]"),
    });
  });
});

test("S4: point-to-point hosts have a /32, /31 or /127, and a gateway outside of the network", () => {
  for (const address of ["10.1.0.5/32", "10.1.0.4/31", "10.1.0.5/31", "10.1.0.5/24"])
    expect(addresses({ ipam: { addresses: [{ address, gateway: "192.0.2.1" }] } })).toEqual([
      `${address} gw 192.0.2.1`,
    ]);
  for (const address of ["fd00::5/128", "fd00::4/127", "fd00::/127", "fd00::ffff:ffff:ffff:ffff/64"])
    expect(addresses({ ipam: { addresses: [{ address }] } })).toEqual([address]);
});

describe("S8: CHECK", () => {
  const checked = (ips: readonly object[], given: Given = { ipam: ONE }) => {
    const prevResult = { cniVersion: "1.1.0", ips };
    return () => check(requestFor("CHECK", { ...given, whole: { ...given.whole, prevResult } }));
  };

  test("accepts its addresses among those of others, and a gateway that it did not choose", () => {
    checked([{ address: "10.7.0.5/24" }, { address: "10.1.0.5/24", gateway: "10.1.0.1", interface: 2 }])();
    checked([{ address: "10.1.0.5/24", gateway: "10.1.0.1" }], {
      ipam: { addresses: [{ address: "10.1.0.5/24" }] },
    })();
    checked([], {})();
  });

  const words = "static: Failed to match addr 10.1.0.5 on interface eth0: prevResult ";
  test.each([
    ["an address that is missing", [], "does not have 10.1.0.5/24 of ipam.addresses[0].address"],
    [
      "another prefix length",
      [{ address: "10.1.0.5/16", gateway: "10.1.0.1" }],
      "has 10.1.0.5/16 instead of 10.1.0.5/24 of ipam.addresses[0].address",
    ],
    [
      "another gateway",
      [{ address: "10.1.0.5/24", gateway: "10.1.0.9" }],
      "has 10.1.0.9 instead of 10.1.0.1 as the gateway of 10.1.0.5/24 of ipam.addresses[0].address",
    ],
    [
      "no gateway",
      [{ address: "10.1.0.5/24" }],
      "has no gateway instead of 10.1.0.1 as the gateway of 10.1.0.5/24 of ipam.addresses[0].address",
    ],
  ])("fails for %s", (_what, ips, problem) => {
    expect(thrownBy(checked(ips))).toMatchObject({ code: 999, message: `${words}${problem}` });
  });

  test("names all that differ, and demands those of the runtime", () => {
    const given: Given = { whole: { runtimeConfig: { ips: ["10.4.0.5/24", "fd00::5/64"] } } };
    const { message } = thrownBy(checked([{ address: "10.1.0.5/24" }], given));
    expect(message).toMatch(
      /addr 10\.4\.0\.5 .*runtimeConfig\.ips\[0\]; .*addr fd00::5 .*runtimeConfig\.ips\[1\]/,
    );
  });

  test("needs prevResult", () => {
    expect(thrownBy(() => check(requestFor("CHECK", { ipam: ONE }))).message).toStartWith(
      "Required prevResult missing",
    );
  });

  test("S4: accepts what another program has added, though ADD would refuse it", () => {
    checked([{ address: "10.1.0.0/24" }], { ipam: { addresses: [{ address: "10.1.0.0/24" }] } })();
  });
});

test("S1: DEL and GC succeed whatever the configuration is", async () => {
  for (const command of ["DEL", "GC"] as const)
    for (const ipam of [{ addresses: "junk" }, null, 7])
      await staticPlugin.run(
        command,
        requestOf(command, { config: networkOf({}, { ipam }), args: "COLOUR=red" }),
      );
});

test("S1: STATUS of a network whose addresses come with ADD", () => {
  status(requestFor("STATUS", {}));
  status(
    requestFor("STATUS", {
      ipam: { addresses: [{ address: "nonsense" }] },
      whole: { capabilities: { ips: true } },
    }),
  );
});
