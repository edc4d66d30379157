/**
 * The documents that a release carries: README with every file that a link leads to from there, so that no link is
 * broken, and the manifests of deploy/.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { root } from "./compile.ts";

/** Where to begin: what a release must have in any case, and the manifests, which no link leads to. */
const first = (): string[] => [
  ...["README.md", "LICENSE", "THIRD-PARTY.md"],
  ...new Bun.Glob("deploy/**").scanSync(root),
];

/** The targets of a document's links to other files, from the project's folder. */
function linksOf(path: string): string[] {
  const prose = readFileSync(join(root, path), "utf8").replaceAll(/^```.*?^```/gms, "");
  return [...prose.matchAll(/\]\(([^)\s#]+)[^)\s]*\)/g)].flatMap(([, link = ""]) =>
    /^https?:/.test(link) ? [] : [join(dirname(path), link)],
  );
}

/** All of them, from the project's folder, sorted. @throws Error for a link that leads nowhere */
export function documents(): string[] {
  const found = new Set<string>();
  const add = (path: string, from: string): void => {
    if (found.has(path)) return;
    if (!existsSync(join(root, path))) throw new Error(`${from} links to ${path}, which does not exist`);
    if (statSync(join(root, path)).isDirectory()) {
      for (const name of readdirSync(join(root, path))) if (name.endsWith(".md")) add(join(path, name), from);
      return;
    }
    found.add(path);
    if (path.endsWith(".md")) for (const link of linksOf(path)) add(link, path);
  };
  for (const path of first()) add(path, "the release");
  return [...found].sort();
}

/** Copies them into a folder, in the project's own layout. */
export async function copyDocuments(folder: string): Promise<void> {
  for (const path of documents()) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await cp(join(root, path), join(folder, path));
  }
}
