/** O10: validate finds what is wrong with a chain of plugins, and with several networks on one host. */
import { describe, expect, test } from "bun:test";
import { validate } from "../../../src/operator/validate/validate.ts";
import { bridge, findingsOf, said, source } from "./findings.ts";

const portmap = { type: "portmap", capabilities: { portMappings: true } };
const macvlan = { type: "macvlan", master: "eth0" };

const CHAINS: readonly [string, object[], string[]][] = [
  [
    "portmap before bridge",
    [portmap, bridge()],
    [
      'BH130 plugins[0].type: "portmap" works on the interface of an earlier plugin, and none comes before it; put it behind "bridge"',
    ],
  ],
  ["firewall alone", [{ type: "firewall" }], ["BH130 plugins[0].type: "]],
  [
    "loopback makes no interface for others",
    [{ type: "loopback" }, portmap, bridge()],
    ["BH130 plugins[1].type: "],
  ],
  ["behind a plugin that is not ours", [{ type: "unknown-cni" }, portmap], []],
  ["tuning behind loopback", [{ type: "loopback" }, { type: "tuning", mtu: 1400 }], []],
  [
    "an IPAM plugin in the list",
    [bridge(), { type: "host-local", ipam: { subnet: "10.9.0.0/24" } }],
    ["BH131 plugins[1].type: "],
  ],
  [
    "an IPAM plugin that is none",
    [{ type: "bridge", ipam: { type: "portmap" } }],
    ["BH131 plugins[0].ipam.type: "],
  ],
  ["portmap without its capability", [bridge(), { type: "portmap" }], ["BH132 plugins[1].type: "]],
  [
    "a deprecated key",
    [bridge(), { ...portmap, externalSetMarkChain: "KUBE-MARK-MASQ" }],
    ["BH150 plugins[1].externalSetMarkChain: "],
  ],
  [
    "masquerade by two",
    [bridge({ ipMasq: true }), { type: "ptp", ipMasq: true }],
    ["BH152 plugins[1].ipMasq: "],
  ],
  [
    "masquerade by a delegate",
    [
      { type: "flannel", delegate: { ipMasq: true } },
      { type: "ptp", ipMasq: true },
    ],
    ["BH152 plugins[1].ipMasq: "],
  ],
];

test.each(CHAINS)("O10: %s", async (_, plugins, expected) => {
  const lines = await said(...plugins);
  expect(lines.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected);
});

const VERSIONS: readonly [unknown, object[], string[]][] = [
  [undefined, [macvlan], ["BH140 warn"]],
  ["0.3.1", [macvlan], ["BH140 warn"]],
  ["1.0.0", [macvlan], ["BH142 note"]],
  ["1.1.0", [macvlan], []],
  ["2.0.0", [macvlan], ["BH141 fail"]],
  ["0.3.1", [bridge(), { type: "firewall" }], ["BH141 fail", "BH140 warn"]],
];

test.each(VERSIONS)("O10: cniVersion %p", async (cniVersion, plugins, expected) => {
  const found = await findingsOf(source("/x/a.conflist", { cniVersion, name: "a", plugins }));
  const versions = found.filter(({ code }) => code !== "BH111");
  expect(versions.map(({ code, level }) => `${code} ${level}`).sort()).toEqual([...expected].sort());
});

test("O10: of several versions the runtime takes the highest", async () => {
  const list = { cniVersion: "0.3.1", cniVersions: ["1.1.0", "0.4.0"], name: "a", plugins: [bridge()] };
  expect(await findingsOf(source("/x/a.conflist", list))).toEqual([]);
});

const net = (name: string, keys: object, ipam?: object) =>
  source(`/x/${name}.conflist`, {
    cniVersion: "1.1.0",
    name: name.slice(0, 1),
    plugins: [bridge(keys, ipam)],
  });

describe("O10: networks against each other", () => {
  const PAIRS: readonly [string, object, object, string[]][] = [
    ["overlapping subnets", {}, { keys: { bridge: "br1" }, ipam: { subnet: "10.1.0.0/16" } }, ["BH120 b"]],
    ["other subnets", {}, { keys: { bridge: "br1" }, ipam: { subnet: "10.1.3.0/24" } }, []],
    ["one bridge with two gateways", {}, { ipam: { subnet: "10.1.3.0/24" } }, ["BH123 b"]],
    [
      "one bridge without gateways",
      { keys: { isGateway: false } },
      { keys: { isGateway: false }, ipam: { subnet: "10.1.3.0/24" } },
      ["BH124 b"],
    ],
    ["one bridge, one subnet", {}, {}, ["BH120 b", "BH124 b"]],
    [
      "one bridge, one subnet in two parts",
      { ipam: { rangeEnd: "10.1.2.99" } },
      { ipam: { rangeStart: "10.1.2.100", gateway: "10.1.2.1" } },
      ["BH124 b"],
    ],
    [
      "one subnet in two parts, on two bridges",
      { ipam: { rangeEnd: "10.1.2.99" } },
      { keys: { bridge: "br1" }, ipam: { rangeStart: "10.1.2.100" } },
      ["BH120 b"],
    ],
    [
      "one bridge with two VLANs",
      { keys: { vlan: 5 } },
      { keys: { vlan: 6 }, ipam: { subnet: "10.1.3.0/24" } },
      [],
    ],
  ];
  type Given = { keys?: object; ipam?: object };
  test.each(PAIRS)("%s", async (_, one: Given, two: Given, expected) => {
    const files = [net("a", one.keys ?? {}, one.ipam), net("b", two.keys ?? {}, two.ipam)];
    const found = (await findingsOf(...files)).map(({ code, network }) => `${code} ${network}`);
    expect(found.sort()).toEqual(expected);
  });

  test("a network's name twice: the later file is not used, so it does not clash either", async () => {
    const found = await findingsOf(net("a", {}), net("a2", {}));
    expect(found.map(({ code, file }) => `${code} ${file}`)).toEqual(["BH110 /x/a2.conflist"]);
  });

  test("a file is compared with the host's networks, whose own faults are not reported", async () => {
    const others = [net("b", { isGatway: true, bridge: "br1" })];
    const found = await validate({ files: [net("a", {})], others, pluginPath: undefined });
    expect(found.map(({ code, file }) => `${code} ${file}`)).toEqual(["BH120 /x/a.conflist"]);
  });
});
