import { describe, expect, test } from "bun:test";
import type { CniError } from "../../../src/cni/error.ts";
import { formatIp } from "../../../src/net/ip.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";
import { parseAllocation, parsePlace, rangesComeWithAdd } from "../../../src/plugins/host-local/config.ts";
import { formatSet } from "../../../src/plugins/host-local/range.ts";
import { thrownBy } from "../../cni/fake-host.ts";
import { networkOf, requestOf } from "../../support/host-local-call.ts";

const request = (ipam: object, whole: object = {}, args = "") =>
  requestOf("ADD", { config: networkOf("/data", ipam, whole), args });

const parse = (...input: Parameters<typeof request>) => parseAllocation(request(...input));

/** Sets as the reference writes them, with gateways behind. */
const sets = (...input: Parameters<typeof request>): string[] =>
  parse(...input).sets.map(
    (set) => `${formatSet(set)} gw ${set.ranges.map((range) => formatIp(range.gateway)).join(",")}`,
  );

const requested = (...input: Parameters<typeof request>): string[] => parse(...input).requested.map(formatIp);

const failure = (...input: Parameters<typeof request>): CniError => thrownBy(() => parse(...input));

describe("range sets", () => {
  const CASES: readonly [name: string, input: Parameters<typeof request>, expected: string[]][] = [
    ["H43: defaults of IPv4", [{ subnet: "10.1.2.0/24" }], ["10.1.2.1-10.1.2.254 gw 10.1.2.1"]],
    [
      "H43: defaults of IPv6",
      [{ subnet: "fd00:1::/64" }],
      ["fd00:1::1-fd00:1::ffff:ffff:ffff:ffff gw fd00:1::1"],
    ],
    ["H43: the smallest IPv4 subnet", [{ subnet: "10.1.2.4/30" }], ["10.1.2.5-10.1.2.6 gw 10.1.2.5"]],
    ["H43: the smallest IPv6 subnet", [{ subnet: "fd00::4/126" }], ["fd00::5-fd00::7 gw fd00::5"]],
    [
      "H40: the legacy form",
      [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.9", rangeEnd: "10.1.2.20", gateway: "10.1.2.30" }],
      ["10.1.2.9-10.1.2.20 gw 10.1.2.30"],
    ],
    [
      "H40: a gateway outside the subnet",
      [{ subnet: "10.1.2.0/24", gateway: "10.9.9.9" }],
      ["10.1.2.1-10.1.2.254 gw 10.9.9.9"],
    ],
    [
      "H40: runtimeConfig.ipRanges before the legacy subnet before ranges",
      [
        {
          subnet: "10.2.0.0/24",
          ranges: [[{ subnet: "10.3.0.0/24" }], [{ subnet: "fd00::/64", rangeEnd: "fd00::9" }]],
        },
        { runtimeConfig: { ipRanges: [[{ subnet: "10.1.0.0/24" }]] } },
      ],
      [
        "10.1.0.1-10.1.0.254 gw 10.1.0.1",
        "10.2.0.1-10.2.0.254 gw 10.2.0.1",
        "10.3.0.1-10.3.0.254 gw 10.3.0.1",
        "fd00::1-fd00::9 gw fd00::1",
      ],
    ],
    [
      "H41: several subnets in a set are one pool",
      [{ ranges: [[{ subnet: "10.1.0.0/24" }, { subnet: "10.2.0.0/24", rangeStart: "10.2.0.7" }]] }],
      ["10.1.0.1-10.1.0.254,10.2.0.7-10.2.0.254 gw 10.1.0.1,10.2.0.1"],
    ],
    [
      "H41: several ranges of one subnet",
      [
        {
          ranges: [
            [
              { subnet: "10.1.0.0/24", rangeEnd: "10.1.0.9" },
              { subnet: "10.1.0.0/24", rangeStart: "10.1.0.10" },
            ],
          ],
        },
      ],
      ["10.1.0.1-10.1.0.9,10.1.0.10-10.1.0.254 gw 10.1.0.1,10.1.0.1"],
    ],
    [
      "A14: keys in any case, unknown ones ignored",
      [{ SUBNET: "10.1.2.0/24", gateWay: "10.1.2.7", nonsense: [] }],
      ["10.1.2.1-10.1.2.254 gw 10.1.2.7"],
    ],
    [
      "empty strings are absent, as for the reference",
      [{ subnet: "10.1.2.0/24", rangeStart: "", rangeEnd: "", gateway: "" }],
      ["10.1.2.1-10.1.2.254 gw 10.1.2.1"],
    ],
    [
      "L11: bounds at the network and the broadcast address are valid",
      [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.0", rangeEnd: "10.1.2.255" }],
      ["10.1.2.0-10.1.2.255 gw 10.1.2.1"],
    ],
    [
      "L11: a start at the broadcast address is valid",
      [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.255" }],
      ["10.1.2.255-10.1.2.255 gw 10.1.2.1"],
    ],
    [
      "a bound written as a mapped address is the IPv4 address",
      [{ subnet: "10.1.2.0/24", rangeStart: "::ffff:10.1.2.5" }],
      ["10.1.2.5-10.1.2.254 gw 10.1.2.1"],
    ],
  ];
  test.each(CASES)("%s", (_, input, expected) => {
    expect(sets(...input)).toEqual(expected);
  });

  test("H44: one address per family is enough for any version", () => {
    for (const cniVersion of ["0.1.0", "0.2.0"]) {
      const ipam = { ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd00::/64" }]] };
      expect(sets(ipam, { cniVersion })).toHaveLength(2);
    }
  });
});

describe("an error names the value and its path", () => {
  const set = (...ranges: object[]) => ({ ranges: [ranges] });
  const CASES: readonly [name: string, input: Parameters<typeof request>, ...texts: string[]][] = [
    ["H40: no ranges", [{}], "no IP ranges specified"],
    ["H40: an empty list of sets", [{ ranges: [] }], "no IP ranges specified"],
    ["H42: an empty set", [{ ranges: [[]] }], "invalid range set 0: ", "ipam.ranges[0]: empty range set"],
    [
      "H42: /31",
      [set({ subnet: "10.1.2.0/31" })],
      "ipam.ranges[0][0].subnet: Network 10.1.2.0/31 too small to allocate from",
    ],
    ["H42: /32", [{ subnet: "10.1.2.1/32" }], "ipam.subnet: Network 10.1.2.1/32 too small to allocate from"],
    ["H42: /127", [set({ subnet: "fd00::/127" })], "Network fd00::/127 too small to allocate from"],
    ["H42: /128", [set({ subnet: "fd00::/128" })], "Network fd00::/128 too small to allocate from"],
    [
      "H42: host bits",
      [set({ subnet: "10.1.2.9/24" })],
      "Network has host bits set. For a subnet mask of length 24 the network address is 10.1.2.0",
      "10.1.2.9/24",
    ],
    [
      "H42: host bits of IPv6",
      [set({ subnet: "fd00::9/64" })],
      "For a subnet mask of length 64 the network address is fd00::",
    ],
    [
      "H42: mixed families",
      [set({ subnet: "10.1.2.0/24" }, { subnet: "fd00::/64" })],
      "invalid range set 0: ipam.ranges[0]: mixed address families",
    ],
    [
      "H42: overlap inside a set",
      [set({ subnet: "10.1.0.0/22" }, { subnet: "10.1.2.0/24" })],
      "invalid range set 0: ",
      "subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap",
    ],
    [
      "H42: an overlap of one address",
      [
        set(
          { subnet: "10.1.0.0/24", rangeEnd: "10.1.0.5" },
          { subnet: "10.1.0.0/24", rangeStart: "10.1.0.5" },
        ),
      ],
      "subnets 10.1.0.1-10.1.0.5 and 10.1.0.5-10.1.0.254 overlap",
    ],
    [
      "H42: an overlap of one address, the later first",
      [
        set(
          { subnet: "10.1.0.0/24", rangeStart: "10.1.0.5" },
          { subnet: "10.1.0.0/24", rangeEnd: "10.1.0.5" },
        ),
      ],
      "subnets 10.1.0.5-10.1.0.254 and 10.1.0.1-10.1.0.5 overlap",
    ],
    [
      "H42: overlap between sets",
      [{ ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd00::/64" }], [{ subnet: "10.1.0.0/16" }]] }],
      "range set 0 overlaps with 2",
      "ipam.ranges[0] and ipam.ranges[2]",
    ],
    [
      "H42: overlap with runtimeConfig",
      [{ subnet: "10.1.0.0/24" }, { runtimeConfig: { ipRanges: [[{ subnet: "10.1.0.0/24" }]] } }],
      "range set 0 overlaps with 1",
      "runtimeConfig.ipRanges[0] and ipam",
    ],
    [
      "H42: rangeStart outside",
      [set({ subnet: "10.1.2.0/24", rangeStart: "10.1.3.1" })],
      "ipam.ranges[0][0].rangeStart: RangeStart 10.1.3.1 not in network 10.1.2.0/24",
    ],
    [
      "H42: rangeStart of the other family",
      [set({ subnet: "10.1.2.0/24", rangeStart: "fd00::1" })],
      "RangeStart fd00::1 not in network 10.1.2.0/24",
    ],
    [
      "H42: rangeEnd outside",
      [set({ subnet: "10.1.2.0/24", rangeEnd: "10.1.1.255" })],
      "ipam.ranges[0][0].rangeEnd: RangeEnd 10.1.1.255 not in network 10.1.2.0/24",
    ],
    [
      "H42: end before start",
      [set({ subnet: "10.1.2.0/24", rangeStart: "10.1.2.9", rangeEnd: "10.1.2.8" })],
      "RangeEnd 10.1.2.8 not in network 10.1.2.0/24",
      "before rangeStart 10.1.2.9",
    ],
    ["H42: no subnet in a range", [set({ rangeStart: "10.1.2.9" })], "ipam.ranges[0][0].subnet: missing"],
    [
      "H42: a subnet without a length",
      [set({ subnet: "10.1.2.0" })],
      'ipam.ranges[0][0].subnet: invalid CIDR address "10.1.2.0"',
    ],
    ["H42: a lax subnet", [set({ subnet: "10.1.2.0/024" })], 'invalid CIDR address "10.1.2.0/024"'],
    [
      "H42: an IPv4 subnet written as mapped IPv6",
      [set({ subnet: "::ffff:10.1.2.0/24" })],
      'invalid CIDR address "::ffff:10.1.2.0/24"',
    ],
    [
      "H42: an invalid bound",
      [set({ subnet: "10.1.2.0/24", rangeStart: "10.1.2.300" })],
      'ipam.ranges[0][0].rangeStart: invalid IP address "10.1.2.300"',
    ],
    [
      "H42: an invalid gateway",
      [set({ subnet: "10.1.2.0/24", gateway: "gw" })],
      'ipam.ranges[0][0].gateway: invalid IP address "gw"',
    ],
    [
      "H42: in runtimeConfig",
      [{}, { runtimeConfig: { ipRanges: [[{ subnet: "1.2.3.4" }]] } }],
      'runtimeConfig.ipRanges[0][0].subnet: invalid CIDR address "1.2.3.4"',
    ],
    [
      "H44: two IPv4 sets in 0.2.0",
      [{ ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "10.2.0.0/24" }]] }, { cniVersion: "0.2.0" }],
      "CNI version 0.2.0 does not support more than 1 address per family",
    ],
    [
      "H44: two IPv6 sets in 0.1.0",
      [{ ranges: [[{ subnet: "fd00::/64" }], [{ subnet: "fd01::/64" }]] }, { cniVersion: "0.1.0" }],
      "CNI version 0.1.0 does not support more than 1 address per family",
    ],
    [
      "H45: an invalid requested address",
      [{ subnet: "10.1.2.0/24" }, { args: { cni: { ips: ["10.1.2.x"] } } }],
      'args.cni.ips[0]: invalid IP address "10.1.2.x"',
    ],
    [
      "H45: an invalid address in runtimeConfig",
      [{ subnet: "10.1.2.0/24" }, { runtimeConfig: { ips: ["10.1.2.5", "10.1.2.5/33"] } }],
      'runtimeConfig.ips[1]: invalid IP address "10.1.2.5/33"',
    ],
    [
      "H45: an invalid address in CNI_ARGS",
      [{ subnet: "10.1.2.0/24" }, {}, "IP=10.1.2"],
      'CNI_ARGS IP: invalid IP address "10.1.2"',
    ],
    [
      "H45: an invalid address in CNI_ARGS beside args.cni.ips",
      [{ subnet: "10.1.2.0/24" }, { args: { cni: { ips: ["10.1.2.5"] } } }, "IP=junk"],
      'CNI_ARGS IP: invalid IP address "junk"',
    ],
    [
      "H42: an empty subnet beside ranges",
      [{ subnet: "", ranges: [[{ subnet: "10.1.2.0/24" }]] }],
      'ipam.subnet: invalid CIDR address ""',
    ],
    [
      "an invalid route",
      [{ subnet: "10.1.2.0/24", routes: [{ dst: "10.0.0.0/8" }, { dst: "default" }] }],
      'ipam.routes[1].dst: invalid CIDR address "default"',
    ],
    [
      "an invalid route gateway",
      [{ subnet: "10.1.2.0/24", routes: [{ dst: "10.0.0.0/8", gw: "gw" }] }],
      'ipam.routes[0].gw: invalid IP address "gw"',
    ],
  ];
  test.each(CASES)("%s", (_, input, ...texts) => {
    const { code, message } = failure(...input);
    expect(code).toBe(7);
    for (const text of texts) expect(message).toContain(text);
  });

  test("H40: a configuration without ipam is refused", () => {
    const bare = requestOf("ADD", { config: { cniVersion: "1.0.0", name: "net", type: "bridge" } });
    for (const action of [() => parseAllocation(bare), () => parsePlace(bare.config)]) {
      expect(thrownBy(action)).toMatchObject({
        code: 7,
        message: expect.stringContaining("IPAM config missing 'ipam' key"),
      });
    }
  });

  const WRONG_TYPES: readonly [path: string, input: Parameters<typeof request>][] = [
    ["ipam.subnet", [{ subnet: 10 }]],
    ["ipam.ranges", [{ ranges: { subnet: "10.1.2.0/24" } }]],
    ["ipam.ranges[0]", [{ ranges: [{ subnet: "10.1.2.0/24" }] }]],
    ["ipam.ranges[0][0]", [{ ranges: [["10.1.2.0/24"]] }]],
    ["ipam.ranges[0][0].gateway", [{ ranges: [[{ subnet: "10.1.2.0/24", gateway: 1 }]] }]],
    ["ipam.routes[0].mtu", [{ subnet: "10.1.2.0/24", routes: [{ dst: "10.0.0.0/8", mtu: "1400" }] }]],
    ["args.cni.ips[0]", [{ subnet: "10.1.2.0/24" }, { args: { cni: { ips: [7] } } }]],
    ["runtimeConfig.ips", [{ subnet: "10.1.2.0/24" }, { runtimeConfig: { ips: "10.1.2.5" } }]],
    ["runtimeConfig.ips", [{ subnet: "10.1.2.0/24" }, { runtimeConfig: { ips: "" } }]],
    ["ipam.resolvConf", [{ subnet: "10.1.2.0/24", resolvConf: true }]],
  ];
  test.each(WRONG_TYPES)("A14: %s of the wrong type is a decoding error", (path, input) => {
    expect(failure(...input)).toMatchObject({
      code: 6,
      message: expect.stringContaining(`key "${path}"`),
    });
  });

  test.each([5, "", { ipRanges: "yes" }])("P4: capabilities %j count only without ranges", (capabilities) => {
    const withRanges = request({ subnet: "10.1.2.0/24" }, { capabilities });
    expect(parseAllocation(withRanges).sets).toHaveLength(1);
    expect(rangesComeWithAdd(withRanges)).toBe(false);
    const without = thrownBy(() => rangesComeWithAdd(request({}, { capabilities })));
    expect(without).toMatchObject({ code: 6, message: expect.stringContaining('key "capabilities') });
  });

  test("A14: dataDir of the wrong type is a decoding error", () => {
    expect(thrownBy(() => parsePlace(request({ dataDir: 1 }).config))).toMatchObject({ code: 6 });
  });

  test("a dataDir that is not a valid path is an invalid configuration", () => {
    expect(thrownBy(() => parsePlace(request({ dataDir: "/a\0b" }).config))).toMatchObject({ code: 7 });
  });
});

describe("requested addresses", () => {
  const ipam = { subnet: "10.1.2.0/24" };
  const CASES: readonly [name: string, input: Parameters<typeof request>, expected: string[]][] = [
    ["H45: none", [ipam], []],
    ["H45: CNI_ARGS IP", [ipam, {}, "IP=10.1.2.5"], ["10.1.2.5"]],
    ["H45: a prefix length says nothing", [ipam, {}, "IP=10.1.2.5/30"], ["10.1.2.5"]],
    ["H45: an empty CNI_ARGS IP is none", [ipam, {}, "IP="], []],
    ["A51: MAC beside IP", [ipam, {}, "MAC=02:00:00:00:00:01;IP=10.1.2.5"], ["10.1.2.5"]],
    ["A51: what containerd sends", [ipam, {}, "IgnoreUnknown=1;K8S_POD_NAME=p;IP=10.1.2.5"], ["10.1.2.5"]],
    [
      "H45: args.cni.ips",
      [ipam, { args: { cni: { ips: ["10.1.2.6", "fd00::1/64"] } } }],
      ["10.1.2.6", "fd00::1"],
    ],
    [
      "A52: args.cni.ips instead of CNI_ARGS IP",
      [ipam, { args: { cni: { ips: ["10.1.2.6"] } } }, "IP=10.1.2.5"],
      ["10.1.2.6"],
    ],
    [
      "A52: an empty args.cni.ips is ignored",
      [ipam, { args: { cni: { ips: [] } } }, "IP=10.1.2.5"],
      ["10.1.2.5"],
    ],
    [
      "H45: runtimeConfig.ips on top",
      [ipam, { runtimeConfig: { ips: ["10.1.2.7"] } }, "IP=10.1.2.5"],
      ["10.1.2.5", "10.1.2.7"],
    ],
    [
      "H45: the same address twice is one request",
      [ipam, { runtimeConfig: { ips: ["10.1.2.5/24", "::ffff:10.1.2.5"] } }, "IP=10.1.2.5"],
      ["10.1.2.5"],
    ],
  ];
  test.each(CASES)("%s", (_, input, expected) => {
    expect(requested(...input)).toEqual(expected);
  });

  test("A51: an unknown key of CNI_ARGS is an error", () => {
    expect(failure(ipam, {}, "FOO=1;IP=10.1.2.5")).toMatchObject({ code: 4 });
  });
});

test("routes keep all their fields, and a gateway key of nerdctl is ignored", () => {
  const routes = [
    { dst: "0.0.0.0/0" },
    {
      dst: "fd01::/64",
      gw: "fd00::1",
      mtu: 1400,
      advmss: 1360,
      priority: 0,
      table: 100,
      scope: 253,
      gateway: "x",
    },
    { dst: "10.1.2.3/8", gw: "" },
  ];
  const parsed = parse({ subnet: "10.1.2.0/24", routes }).routes;
  expect(
    parsed.map(({ dst, gw, ...rest }) => ({
      dst: formatPrefix(dst),
      ...(gw && { gw: formatIp(gw) }),
      ...rest,
    })),
  ).toEqual([
    { dst: "0.0.0.0/0" },
    { dst: "fd01::/64", gw: "fd00::1", mtu: 1400, advmss: 1360, priority: 0, table: 100, scope: 253 },
    { dst: "10.1.2.3/8" },
  ]);
});

describe("the place of the leases", () => {
  const dataDir = (value: unknown) => parsePlace(request({ dataDir: value }).config);
  test("H50: the default directory", () => {
    expect(dataDir(undefined)).toEqual({ dataDir: "/var/lib/cni/networks", network: "net" });
    expect(dataDir("")).toEqual({ dataDir: "/var/lib/cni/networks", network: "net" });
  });
  test("H50: a given one, without slashes at its end", () => {
    expect(dataDir("/run/x//").dataDir).toBe("/run/x");
    expect(dataDir("/").dataDir).toBe("/");
    expect(dataDir("relative").dataDir).toBe("relative");
  });
});
