/**
 * Generates README's tables and the JSON schema from the tables of keys. `bun build/key-documents.ts` writes both, and
 * test/schema/documents.test.ts keeps them equal to the tables.
 */
import { join } from "node:path";
import { SHARED_KEYS } from "../src/cni/keys.ts";
import { PLUGIN_KEYS } from "../src/plugins/all-keys.ts";
import { markdownOf } from "../src/schema/markdown.ts";
import { networkSchema } from "../src/schema/network-schema.ts";

const root = join(import.meta.dir, "..");

/** The wanted content of each page, by its path in the project. */
export async function keyDocuments(): Promise<Map<string, string>> {
  let readme = await Bun.file(join(root, "README.md")).text();
  for (const { name, keys } of [{ name: "all plugins", keys: SHARED_KEYS }, ...PLUGIN_KEYS]) {
    if (keys.length > 0) readme = replaced(readme, name, markdownOf(keys));
  }
  return new Map([
    ["README.md", readme],
    [
      "docs/schema/network.json",
      `${JSON.stringify(networkSchema({ plugins: PLUGIN_KEYS, shared: SHARED_KEYS }), null, 2)}\n`,
    ],
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

if (import.meta.main) {
  for (const [path, text] of await keyDocuments()) await Bun.write(join(root, path), text);
}
