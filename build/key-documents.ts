/**
 * Generates README's tables and the JSON schema from the tables of keys. `bun build/key-documents.ts` writes both, and
 * test/schema/documents.test.ts keeps them equal to the tables.
 */
import { join } from "node:path";
import { NETWORK_KEYS, SHARED_KEYS } from "../src/cni/keys.ts";
import { PLUGINS } from "../src/plugins/registry.ts";
import { type Schema, schemaOf } from "../src/schema/json-schema.ts";
import type { Keys } from "../src/schema/keys.ts";
import { markdownOf } from "../src/schema/markdown.ts";

const root = join(import.meta.dir, "..");

/** The keys of a plugin, and the section of the configuration that holds them. */
interface PluginKeys {
  readonly name: string;
  readonly keys: Keys;
  readonly section: string | undefined;
}

async function allKeys(): Promise<PluginKeys[]> {
  const all: PluginKeys[] = [];
  for (const { name } of PLUGINS) {
    const module: { KEYS: Keys; SECTION?: string } = await import(`../src/plugins/${name}/keys.ts`);
    all.push({ name, keys: module.KEYS, section: module.SECTION });
  }
  return all;
}

/** The wanted content of each page, by its path in the project. */
export async function keyDocuments(): Promise<Map<string, string>> {
  const plugins = await allKeys();
  let readme = await Bun.file(join(root, "README.md")).text();
  for (const { name, keys } of [{ name: "all plugins", keys: SHARED_KEYS }, ...plugins]) {
    if (keys.length > 0) readme = replaced(readme, name, markdownOf(keys));
  }
  return new Map([
    ["README.md", readme],
    ["docs/schema/network.json", `${JSON.stringify(networkSchema(plugins), null, 2)}\n`],
  ]);
}

/** @throws Error if the page has no place for the table */
function replaced(page: string, name: string, table: string): string {
  const [begin, end] = [`<!-- keys of ${name} -->`, "<!-- end of keys -->"];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`README.md has no ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n${table}\n${page.slice(to)}`;
}

/** The schema of a network with a list of plugins, or of one plugin's configuration. */
function networkSchema(plugins: readonly PluginKeys[]): Schema {
  const isOfType = (name: string): Schema => ({
    properties: { type: { const: name } },
    required: ["type"],
  });
  const ofType = ({ name, keys, section }: PluginKeys): Schema =>
    section === undefined
      ? // biome-ignore lint/suspicious/noThenProperty: a word of JSON schema.
        { if: isOfType(name), then: schemaOf(keys) }
      : {
          if: { properties: { [section]: isOfType(name) }, required: [section] },
          // biome-ignore lint/suspicious/noThenProperty: a word of JSON schema.
          then: {
            allOf: [
              schemaOf(keys.filter((key) => key[5] !== undefined)),
              { properties: { [section]: schemaOf(keys.filter((key) => key[5] === undefined)) } },
            ],
          },
        };
  const plugin: Schema = {
    ...schemaOf(SHARED_KEYS),
    allOf: plugins.filter(({ keys }) => keys.length > 0).map(ofType),
  };
  const network = schemaOf([...NETWORK_KEYS, ["cniVersion", "text", null, "Version of the specification."]]);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A network of the Container Network Interface with the plugins of Bridgehead",
    ...network,
    required: ["name"],
    if: { required: ["plugins"] },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON schema.
    then: { properties: { plugins: { type: "array", items: { $ref: "#/$defs/plugin" } } } },
    else: { $ref: "#/$defs/plugin" },
    $defs: { plugin },
  };
}

if (import.meta.main) {
  for (const [path, text] of await keyDocuments()) await Bun.write(join(root, path), text);
}
