/**
 * `npm run build -- --compact`: the same sources on quickjs-ng in the static program of the folder compact. Its README tells
 * how the file is made; docs/decisions/0040 says why there are two files.
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../package.json";
import { PROGRAM, publish, run } from "./compile.ts";
import { withImage } from "./heap-image.ts";
import { type CompactTarget, cargoBuild } from "./toolchain.ts";

/**
 * Source files that are loaded by `import()` and stand in the image of the heap, beside main.ts and what they import: what
 * each ADD and DEL needs. All others stay bytecode in the file, which takes a fifth of the room, and which a call reads in
 * 0.1 ms for 10 KB of source.
 */
const IN_IMAGE: readonly string[] = [
  "add",
  "del",
  "loopback",
  "nat-table",
  "nftables",
  "own-veth",
  "previous",
  "removal",
  "set-up",
  "tear-down",
];

const MAIN = "main.js";

/** Bundles src/main.ts into chunks in `folder`, which import each other only through the host. */
async function bundle(folder: string): Promise<void> {
  run([
    process.execPath,
    "build",
    "src/main.ts",
    "--target=bun",
    "--conditions=compact",
    "--format=esm",
    "--minify",
    "--splitting",
    "--reject-unresolved",
    `--define=BRIDGEHEAD_VERSION=${JSON.stringify(version)}`,
    "--outdir",
    folder,
  ]);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const text = await readFile(path, "utf8");
    const replaced = text.replaceAll(/\bimport\("\.\/([^"]+)"\)/g, (_, chunk) => `host.load("${chunk}")`);
    if (/\bimport\(/.test(replaced)) throw new Error(`${name} has an import() that is not of a chunk`);
    await writeFile(path, replaced);
  }
}

/** The chunks in the order of the bundle: main.js, the others of the image, an empty name, those that stay bytecode. */
async function order(folder: string): Promise<string[]> {
  const sourceOf = (chunk: string) => chunk.replace(/(-[a-z0-9]+)?\.js$/, "");
  const chunks = (await readdir(folder)).sort();
  const missing = IN_IMAGE.filter((name) => !chunks.some((chunk) => sourceOf(chunk) === name));
  if (missing.length > 0) throw new Error(`there is no chunk of ${missing.join(", ")}: correct IN_IMAGE`);
  const hot = new Set<string>();
  const add = async (chunk: string): Promise<void> => {
    if (hot.has(chunk)) return;
    hot.add(chunk);
    const text = await readFile(join(folder, chunk), "utf8");
    for (const [, imported = ""] of text.matchAll(/\b(?:from|import)"\.\/([^"]+)"/g)) await add(imported);
  };
  await add(MAIN);
  for (const chunk of chunks) if (IN_IMAGE.includes(sourceOf(chunk))) await add(chunk);
  return [...hot, "", ...chunks.filter((chunk) => !hot.has(chunk))];
}

/** Compiles the compact file into `folder`, under all names. Returns a line about each. */
export async function compileCompact(folder: string, target: CompactTarget): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".build-"));
  try {
    const { compiler, program } = cargoBuild(target);
    const chunks = join(stage, "chunks");
    await bundle(chunks);
    const compiled = Bun.spawnSync([compiler, chunks, ...(await order(chunks))]);
    if (compiled.exitCode !== 0) throw new Error(`the chunks do not compile: ${compiled.stderr}`);
    const image = Bun.spawnSync([...target.runner, program], { stdin: compiled.stdout });
    if (image.exitCode !== 0) throw new Error(`the image of the heap cannot be made: ${image.stderr}`);
    await rm(chunks, { recursive: true });
    const file = withImage(await readFile(program), image.stdout);
    await writeFile(join(stage, PROGRAM), file);
    await chmod(join(stage, PROGRAM), 0o755);
    return await publish(stage, folder, `version ${version}, needs nothing but Linux, ${target.processor}`);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}
