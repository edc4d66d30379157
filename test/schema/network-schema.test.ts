/** O10: the JSON schemas, checked by a schema library on configurations that work and on ones that do not. */
import { describe, expect, test } from "bun:test";
import Ajv from "ajv/dist/2020";
import { SHARED_KEYS } from "../../src/cni/keys.ts";
import { PLUGIN_KEYS } from "../../src/plugins/all-keys.ts";
import { networkSchema, pluginSchema } from "../../src/schema/network-schema.ts";

const SOURCE = { plugins: PLUGIN_KEYS, shared: SHARED_KEYS };

/** The library's complaints: the place of each and what it says. Strict mode refuses schemas with unknown words. */
function complaints(schema: object, document: unknown): string[] {
  const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false });
  const validate = ajv.compile(schema);
  validate(document);
  return (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== "if")
    .map(({ instancePath, message = "", params }) => {
      const [detail] = Object.values(params as Record<string, unknown>);
      return `${instancePath} ${message} (${JSON.stringify(detail)})`;
    });
}

const bridge = (keys: object = {}, ipam: object = {}) => ({
  type: "bridge",
  ...keys,
  ipam: { type: "host-local", ...ipam },
});
const list = (...plugins: object[]) => ({ cniVersion: "1.1.0", name: "net", plugins });

/** Lists that runtimes write or ship. */
const GOOD: readonly [string, object][] = [
  [
    "containerd's example",
    list(
      bridge(
        { bridge: "cni0", isGateway: true, ipMasq: true, promiscMode: true },
        {
          ranges: [[{ subnet: "10.88.0.0/16" }], [{ subnet: "2001:db8:4860::/64" }]],
          routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
        },
      ),
      { type: "portmap", capabilities: { portMappings: true }, externalSetMarkChain: "KUBE-MARK-MASQ" },
    ),
  ],
  [
    "podman's default",
    {
      cniVersion: "0.4.0",
      name: "podman",
      args: { podman_labels: { a: "b" } },
      plugins: [
        bridge(
          { bridge: "cni-podman0", isGateway: true, ipMasq: true, hairpinMode: true },
          { routes: [{ dst: "0.0.0.0/0" }], ranges: [[{ subnet: "10.88.0.0/16", gateway: "10.88.0.1" }]] },
        ),
        { type: "portmap", capabilities: { portMappings: true } },
        { type: "firewall" },
        { type: "tuning" },
      ],
    },
  ],
  ["nerdctl's marks", { ...list(bridge()), nerdctlID: "4", nerdctlLabels: { a: "b" } }],
  [
    "one plugin",
    {
      cniVersion: "0.2.0",
      name: "mybridge",
      ...bridge({ bridge: "cni_bridge0" }, { subnet: "10.15.20.0/24" }),
    },
  ],
  [
    "plugins of others",
    list({ type: "macvlan", master: "eth0", ipam: { type: "dhcp", anything: 1 } }, { type: "x" }),
  ],
  ["an IPAM plugin of others", list({ type: "bridge", ipam: { type: "whereabouts", range: "10.0.0.0/8" } })],
  ["the place of this schema", { $schema: "./network.json", ...list(bridge()) }],
  [
    "what a runtime adds",
    list(
      bridge({
        runtimeConfig: {
          ips: ["10.1.2.3"],
          mac: "02:00:00:00:00:01",
          ipRanges: [[{ subnet: "10.1.2.0/24" }]],
        },
      }),
    ),
  ],
  [
    "tuning's settings",
    list(bridge(), { type: "tuning", sysctl: { "net.core.somaxconn": "500" }, txQLen: 500 }),
  ],
  [
    "static",
    list({ type: "bridge", ipam: { type: "static", addresses: [{ address: "10.1.2.3/24" }], dns: {} } }),
  ],
];

describe("the schema of networks", () => {
  test.each(GOOD)("O10: accepts %s", (_, document) => {
    expect(complaints(networkSchema(SOURCE), document)).toEqual([]);
  });

  const BAD: readonly [string, object, string][] = [
    [
      "a misspelt key",
      list(bridge({ isGatway: true })),
      '/plugins/0 must NOT have additional properties ("isGatway")',
    ],
    [
      "a misspelt key of a route",
      list(bridge({}, { routes: [{ dst: "::/0", gateway: "::1" }] })),
      '/plugins/0/ipam/routes/0 must NOT have additional properties ("gateway")',
    ],
    [
      "a key beside `ipam`",
      list(bridge({ subnet: "10.0.0.0/8" })),
      '/plugins/0 must NOT have additional properties ("subnet")',
    ],
    [
      "a key of another plugin",
      list(bridge(), { type: "portmap", ipMasq: true }),
      '/plugins/1 must NOT have additional properties ("ipMasq")',
    ],
    ["a text for true", list(bridge({ ipMasq: "yes" })), '/plugins/0/ipMasq must be boolean ("boolean")'],
    [
      "another word",
      list(bridge(), { type: "firewall", backend: "nft" }),
      "/plugins/1/backend must be equal to one of the allowed values",
    ],
    ["a number out of its bounds", list(bridge({ vlan: 4095 })), "/plugins/0/vlan must be <= 4094"],
    [
      "a subnet without its length",
      list(bridge({}, { subnet: "10.1.2.0" })),
      "/plugins/0/ipam/subnet must match pattern",
    ],
    [
      "a list of ranges that is not nested",
      list(bridge({}, { ranges: [{ subnet: "10.0.0.0/8" }] })),
      '/plugins/0/ipam/ranges/0 must be array ("array")',
    ],
    [
      "a missing subnet",
      list(bridge({}, { ranges: [[{}]] })),
      "/plugins/0/ipam/ranges/0/0 must have required property 'subnet'",
    ],
    ["no type", list({ bridge: "cni0" }), "/plugins/0 must have required property 'type'"],
    ["no name", { cniVersion: "1.0.0", plugins: [bridge()] }, " must have required property 'name'"],
    ["an empty list", list(), "/plugins must NOT have fewer than 1 items"],
    [
      "a misspelt key of the list",
      { ...list(bridge()), cniVersoin: "1.0.0" },
      ' must NOT have additional properties ("cniVersoin")',
    ],
    [
      "a misspelt key of one plugin",
      { name: "a", ...bridge({ hairpinmode: true }) },
      ' must NOT have additional properties ("hairpinmode")',
    ],
  ];

  test.each(BAD)("O10: refuses %s", (_, document, expected) => {
    const found = complaints(networkSchema(SOURCE), document);
    expect(found.map((each) => each.slice(0, expected.length))).toContain(expected);
  });
});

describe("the schema of one plugin", () => {
  test.each(PLUGIN_KEYS.map(({ name }) => name))("O10: %s: knows its own keys alone", (name) => {
    const schema = pluginSchema(name, SOURCE) ?? {};
    expect(complaints(schema, { type: name })).toEqual([]);
    expect(complaints(schema, { type: name, flavour: 1 })).toEqual([
      ' must NOT have additional properties ("flavour")',
    ]);
    expect(complaints(schema, {})).toEqual([" must have required property 'type' (\"type\")"]);
  });

  test("O10: an unknown plugin has none", () => {
    expect(pluginSchema("bridg", SOURCE)).toBeUndefined();
  });
});
