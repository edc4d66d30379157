/** O10: validate finds keys that are misspelt, unknown or out of place, and values that cannot work, with their place. */
import { describe, expect, test } from "bun:test";
import { pathsOf, placesOfKey } from "../../../src/operator/validate/known-keys.ts";
import { PLUGIN_KEYS } from "../../../src/plugins/all-keys.ts";
import { PLUGINS } from "../../../src/plugins/registry.ts";
import { bridge, findingsOf, said, source } from "./findings.ts";

test("the tables of keys are those of all plugins", () => {
  expect(PLUGIN_KEYS.map(({ name }) => name)).toEqual(PLUGINS.map(({ name }) => name));
});

test("O10: a network without faults has no findings", async () => {
  const portmap = { type: "portmap", capabilities: { portMappings: true }, snat: true };
  const tuning = { type: "tuning", sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" }, mtu: 1400 };
  const routes = [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16", gw: "10.1.2.1" }];
  expect(await said(bridge({ ipMasq: true }, { routes }), portmap, { type: "firewall" }, tuning)).toEqual([]);
});

test("O10: a finding has the line and column of its key", async () => {
  const text = '{\n  "cniVersion": "1.1.0",\n  "name": "net",\n  "type": "bridge", "isGatway": true\n}\n';
  expect(await findingsOf(source("/x/é.conf", text))).toEqual([
    {
      code: "BH104",
      level: "fail",
      file: "/x/é.conf",
      line: 4,
      column: 21,
      network: "net",
      key: "isGatway",
      message: 'unknown key "isGatway"',
      remedy: 'write "isGateway"',
    },
  ]);
});

/** Words that someone could write instead of a key: a letter missing, doubled, swapped with its neighbour, or another. */
function typosOf(key: string): string[] {
  const typos = new Set<string>();
  for (let at = 0; at < key.length; at++) {
    typos.add(key.slice(0, at) + key.slice(at + 1));
    typos.add(key.slice(0, at + 1) + key.slice(at));
    typos.add(`${key.slice(0, at)}_${key.slice(at + 1)}`);
    if (at > 0) typos.add(key.slice(0, at - 1) + key.charAt(at) + key.charAt(at - 1) + key.slice(at + 1));
  }
  typos.delete(key);
  return [...typos].filter((typo) => typo !== "" && !/^_|^\$/.test(typo) && placesOfKey(typo).length === 0);
}

/** An object with one value at a path. */
const nested = ([step = "", ...rest]: readonly string[], last: string): object => ({
  [rest.length === 0 ? last : step]: rest.length === 0 ? "x" : nested(rest, last),
});

const README_KEYS = PLUGIN_KEYS.flatMap((plugin) =>
  pathsOf(plugin).map((path) => [plugin.name, path] as const),
);

describe("O10: each typo of a key is found, with the key that was meant", () => {
  test.each(README_KEYS)("%s: %p", async (plugin, path) => {
    const key = path.at(-1) ?? "";
    for (const typo of typosOf(key)) {
      const isIpam = path[0] === "ipam" && plugin !== "bridge";
      const document = { type: isIpam ? "bridge" : plugin, ...nested(path, typo) };
      if (isIpam && "ipam" in document) Object.assign(document.ipam as object, { type: plugin });
      const lines = await said(document);
      const found = lines.filter((line) => line.includes(`unknown key ${JSON.stringify(typo)}; write "`));
      expect({ typo, found: found.length }).toEqual({ typo, found: 1 });
      // Two keys can be equally near to a short word, and conditionsV4 and conditionsV6 to one without its number.
      if (key.length > 3 && !typo.startsWith("conditionsV"))
        expect(found[0]).toEndWith(`; write ${JSON.stringify(key)}`);
    }
  });
});

const FOUND: readonly [string, object[], string[]][] = [
  [
    "a key of the IPAM plugin beside `ipam`",
    [{ ...bridge(), subnet: "10.1.2.0/24" }],
    [
      'BH106 plugins[0].subnet: "subnet" has no effect in plugin "bridge"; it is a key of host-local: write it there as "ipam.subnet"',
    ],
  ],
  [
    "a key of the plugin inside of `ipam`",
    [bridge({}, { isGateway: true })],
    [
      'BH106 plugins[0].ipam.isGateway: "isGateway" has no effect in "plugins[0].ipam"; write it beside "type"',
    ],
  ],
  [
    "a key of another plugin",
    [bridge(), { type: "portmap", capabilities: { portMappings: true }, ingressPolicy: "open" }],
    [
      'BH106 plugins[1].ingressPolicy: "ingressPolicy" has no effect in plugin "portmap"; it is a key of firewall: write it there',
    ],
  ],
  [
    "a key like no other",
    [bridge({ flavour: 1 })],
    [
      'BH105 plugins[0].flavour: unknown key "flavour": plugin "bridge" ignores it; remove it, unless another program reads it',
    ],
  ],
  [
    "a misspelt capability",
    [bridge(), { type: "portmap", capabilities: { portMapping: true, portMappings: true } }],
    ['BH104 plugins[1].capabilities.portMapping: unknown key "portMapping"; write "portMappings"'],
  ],
  [
    "a text instead of true",
    [bridge({ ipMasq: "true" })],
    [
      'BH102 plugins[0].ipMasq: key "ipMasq" must be true or false, not "true"; see bridgehead explain bridge.ipMasq',
    ],
  ],
  [
    "each wrong value of a list",
    [bridge({}, { ranges: [[{ subnet: "10.1.0.0/24" }, { subnet: "10.2" }], [{ gateway: "x" }]] })],
    [
      "BH103 plugins[0].ipam.ranges[0][1].subnet: ",
      "BH103 plugins[0].ipam.ranges[1][0].subnet: ",
      "BH103 plugins[0].ipam.ranges[1][0].gateway: ",
    ],
  ],
  [
    "each wrong route",
    [
      bridge(
        {},
        {
          routes: [
            { dst: "1.2.3.4/8" },
            { dst: "2.0.0.0/8" },
            { dst: "3.0.0.0/8", gw: "10.1.2.255" },
            { dst: "4.5.0.0/8" },
          ],
        },
      ),
    ],
    [
      "BH103 plugins[0].ipam.routes[0].dst: ipam.routes[0].dst: 1.2.3.4/8",
      "BH103 plugins[0].ipam.routes[2].gw: ipam.routes[2].gw: ",
      "BH103 plugins[0].ipam.routes[3].dst: ipam.routes[3].dst: 4.5.0.0/8",
    ],
  ],
  [
    "each wrong address of static",
    [
      {
        type: "bridge",
        ipam: {
          type: "static",
          addresses: [{ address: "10.1.2.0/24" }, { address: "10.1.3.3/24" }, { address: "10.1.2.255/24" }],
        },
      },
    ],
    ["BH103 plugins[0].ipam.addresses[0].address: ", "BH103 plugins[0].ipam.addresses[2].address: "],
  ],
  [
    "a list as a plugin",
    [bridge({ plugins: [] })],
    ['BH108 plugins[0].plugins: plugin "bridge" is given a list of plugins'],
  ],
  [
    "keys that exclude each other",
    [bridge({ hairpinMode: true, promiscMode: true })],
    ["BH103 plugins[0].hairpinMode: "],
  ],
  // K19
  ["host bits", [bridge({}, { routes: [{ dst: "1.2.3.4/8" }] })], ["BH103 plugins[0].ipam.routes[0].dst: "]],
  [
    "a gateway of the other family",
    [bridge({}, { routes: [{ dst: "1.0.0.0/8", gw: "fd00::1" }] })],
    ["BH103 plugins[0].ipam.routes[0].gw: "],
  ],
  [
    "the broadcast address as a gateway",
    [bridge({}, { routes: [{ dst: "1.0.0.0/8", gw: "10.1.2.255" }] })],
    ["BH103 plugins[0].ipam.routes[0].gw: "],
  ],
  [
    "the network's address as a gateway",
    [bridge({}, { gateway: "10.1.2.0" })],
    ["BH103 plugins[0].ipam.gateway: "],
  ],
  [
    "a gateway off the link",
    [bridge({}, { routes: [{ dst: "1.0.0.0/8", gw: "10.9.9.9" }] })],
    ["BH103 plugins[0].ipam.routes[0].gw: "],
  ],
  ["an mtu too small for IPv6", [bridge({ mtu: 1000 }, { subnet: "fd00::/64" })], ["BH103 plugins[0].mtu: "]],
  [
    "a range outside of its subnet",
    [bridge({}, { rangeStart: "10.9.9.9" })],
    ["BH103 plugins[0].ipam.rangeStart: "],
  ],
  ["host bits of a subnet", [bridge({}, { subnet: "10.1.2.3/24" })], ["BH103 plugins[0].ipam.subnet: "]],
  [
    "an address of static that no interface can have",
    [{ type: "bridge", ipam: { type: "static", addresses: [{ address: "10.1.2.0/24" }] } }],
    ["BH103 plugins[0].ipam.addresses[0].address: "],
  ],
  [
    "a sysctl that is not the container's",
    [bridge(), { type: "tuning", sysctl: { "kernel.panic": "1" } }],
    ["BH103 plugins[1].sysctl: "],
  ],
];

test.each(FOUND)("O10, K19: %s", async (_, plugins, expected) => {
  const lines = await said(...plugins);
  expect(lines.map((line, index) => line.slice(0, expected[index]?.length ?? 0))).toEqual(expected);
});

const BROKEN: readonly [string, string, unknown, string[]][] = [
  ["no JSON", "/x/a.conf", '{\n  "name": "a"\n  "type": "bridge"\n}', ["BH101 3:3"]],
  ["no object", "/x/a.conf", "[]", ["BH102 1:1"]],
  ["no name", "/x/a.conf", '{"cniVersion": "1.1.0", "type": "bridge"}', ["BH109 1:1"]],
  [
    "a name with a slash",
    "/x/a.conf",
    '{"cniVersion": "1.1.0", "type": "bridge", "name": "a/b"}',
    ["BH109 1:43"],
  ],
  ["no type", "/x/a.conf", '{"cniVersion": "1.1.0", "name": "a"}', ["BH102 1:1"]],
  [
    "a key twice",
    "/x/a.conf",
    '{"cniVersion": "1.1.0", "name": "a",\n"type": "bridge", "mtu": 1500,\n"mtu": 1400}',
    ["BH107 3:1"],
  ],
  [
    "a list in a *.conf",
    "/x/a.conf",
    { cniVersion: "1.1.0", name: "a", plugins: [{ type: "bridge" }] },
    ["BH108 4:3"],
  ],
  [
    "a plugin in a *.conflist",
    "/x/a.conflist",
    { cniVersion: "1.1.0", name: "a", type: "bridge" },
    ["BH108 1:1"],
  ],
  ["an empty list", "/x/a.conflist", { cniVersion: "1.1.0", name: "a", plugins: [] }, ["BH102 4:3"]],
  [
    "a plugin that is a text",
    "/x/a.conflist",
    { cniVersion: "1.1.0", name: "a", plugins: ["bridge"] },
    ["BH102 5:5"],
  ],
  [
    "a key of a plugin beside the list",
    "/x/a.conflist",
    { cniVersion: "1.1.0", name: "a", isGateway: true, plugins: [{ type: "bridge" }] },
    ["BH106 4:3"],
  ],
  [
    "keys of nerdctl and podman",
    "/x/a.conflist",
    {
      cniVersion: "1.1.0",
      name: "a",
      nerdctlID: "x",
      args: { podman_labels: {} },
      plugins: [{ type: "bridge" }],
    },
    [],
  ],
  [
    "a plugin that is not ours",
    "/x/a.conf",
    { cniVersion: "1.1.0", name: "a", type: "macvlan", mastr: 1 },
    ["BH111 4:3"],
  ],
  [
    "an IPAM plugin that is not ours",
    "/x/a.conf",
    { cniVersion: "1.1.0", name: "a", type: "bridge", ipam: { type: "dhcp", anything: 1 } },
    ["BH111 6:5"],
  ],
];

test.each(BROKEN)("O10: %s", async (_, path, content, expected) => {
  const findings = await findingsOf(source(path, content));
  expect(findings.map(({ code, line, column }) => `${code} ${line}:${column}`)).toEqual(expected);
});

test("O10: the type of a plugin that is not ours may be a misspelt one of ours", async () => {
  const [finding] = await findingsOf(source("/x/a.conf", { cniVersion: "1.1.0", name: "a", type: "brigde" }));
  expect(finding).toMatchObject({ code: "BH111", level: "note", remedy: 'write "bridge" if that is meant' });
});
