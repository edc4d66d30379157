/** README's tables and the JSON schema agree with the tables of keys. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { keyDocuments } from "../../build/key-documents.ts";
import { schemaOf } from "../../src/schema/json-schema.ts";
import type { Keys } from "../../src/schema/keys.ts";
import { markdownOf } from "../../src/schema/markdown.ts";
import { PROJECT } from "../support/test-files.ts";

const KEYS = [
  ["name", "text!", null, "A name."],
  ["vlan", "0..4094", 0, "A VLAN."],
  ["mtu", "0|68..65535", null, "An MTU."],
  ["backend", "iptables|nftables", null, ""],
  ["ranges", "object[][]", null, "Ranges.", [["on", "boolean", true, "On."]]],
  ["mac", "mac", null, "A MAC.", null, "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC"],
] as const satisfies Keys;

test("the pages agree with the tables of keys (`npm run format` writes them)", async () => {
  for (const [path, text] of await keyDocuments()) {
    expect({ path, text: await Bun.file(join(PROJECT, path)).text() }).toEqual({ path, text });
  }
});

test("a table of a page has the keys that have help", () => {
  expect(markdownOf(KEYS).split("\n").slice(2)).toEqual([
    "| `name` | text | required | A name. |",
    "| `vlan` | 0–4094 | `0` | A VLAN. |",
    "| `mtu` | 0, 68–65535 | none | An MTU. |",
    "| `ranges` | list of lists | none | Ranges. |",
    "| `runtimeConfig.mac`, `args.cni.mac`, `MAC=` in `CNI_ARGS` | MAC address | none | A MAC. |",
  ]);
});

test("a JSON schema has types, bounds, defaults, and the places of keys", () => {
  const mac = { type: "string", pattern: "^[0-9A-Fa-f:.-]*$", description: "A MAC." };
  expect(schemaOf(KEYS)).toEqual({
    type: "object",
    required: ["name"],
    properties: {
      name: { type: "string", description: "A name." },
      vlan: { type: "integer", minimum: 0, maximum: 4094, description: "A VLAN.", default: 0 },
      mtu: {
        anyOf: [
          { type: "integer", minimum: 0, maximum: 0 },
          { type: "integer", minimum: 68, maximum: 65535 },
        ],
        description: "An MTU.",
      },
      backend: { enum: ["iptables", "nftables"] },
      ranges: {
        type: "array",
        description: "Ranges.",
        items: {
          type: "array",
          items: {
            type: "object",
            properties: { on: { type: "boolean", description: "On.", default: true } },
            additionalProperties: false,
          },
        },
      },
      runtimeConfig: { type: "object", properties: { mac } },
      args: { type: "object", properties: { cni: { type: "object", properties: { mac } } } },
    },
  });
});
