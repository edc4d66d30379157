/**
 * `npm run build -- --compact`: the same sources on quickjs-ng in the static program of the folder compact. Its README tells
 * how the file is made; docs/decisions/0043 says why there are two files.
 */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { version } from "../package.json";
import { PROGRAM, publish, root, run } from "./compile.ts";
import { cargoMetadata, engineVersion } from "./crates.ts";
import { withImage } from "./heap-image.ts";
import { needsOf } from "./needs.ts";
import { versionFlags } from "./program-version.ts";
import { type CompactTarget, cargoBuild } from "./toolchain.ts";

/**
 * Source files that are loaded by `import()` and stand in the image of the heap, beside main.ts and what they all import:
 * what each ADD and DEL needs. Masquerading does not stand there: it would save its ADD 2.8 of 15.2 million
 * instructions and take 142 KB, more than there is. All others stay bytecode in the file, which takes a fifth of the room, and
 * which a call reads in 0.1 ms for 10 KB of source.
 */
export const IN_IMAGE: readonly string[] = [
  "src/links/own-veth.ts",
  "src/plugins/bridge/add.ts",
  "src/plugins/bridge/del.ts",
  "src/plugins/host-local/add.ts",
  "src/plugins/host-local/del.ts",
  "src/plugins/loopback/loopback.ts",
];

/** What the file may have at most. The code of arm64 takes 80 KB more. */
const MOST_BYTES: Readonly<Record<string, number>> = { "linux-x64": 2_000_000, "linux-arm64": 2 * 2 ** 20 };

/** What the bundler tells of the chunks that it wrote. */
interface Metafile {
  readonly outputs: Record<
    string,
    {
      readonly entryPoint?: string;
      readonly imports: readonly { readonly path: string; readonly kind: string }[];
    }
  >;
}

/**
 * Bundles a program, src/main.ts or one of a test, into chunks in `folder`. There each `import()` finds the module in the
 * image, or has the host load it. Returns the names of the chunks in the order of the compiled bundle: the program and what
 * is in the image, an empty name, what stays bytecode, an empty name.
 */
export async function bundle(
  entry: string,
  inImage: readonly string[],
  folder: string,
  flags: readonly string[] = [],
): Promise<string[]> {
  const metafile = join(folder, "metafile.json");
  run([
    process.execPath,
    "build",
    entry,
    "--target=bun",
    "--conditions=compact",
    "--format=esm",
    "--minify",
    "--splitting",
    "--reject-unresolved",
    ...flags,
    "--outdir",
    folder,
    `--metafile=${metafile}`,
  ]);
  const { outputs } = (await Bun.file(metafile).json()) as Metafile;
  for (const name of Object.keys(outputs)) {
    const path = join(folder, name);
    const text = await readFile(path, "utf8");
    const replaced = text.replaceAll(
      /\bimport\("\.\/([^"]+)"\)/g,
      (_, chunk) => `(host.modules["${chunk}"] ?? host.load("${chunk}"))`,
    );
    if (/\bimport\(/.test(replaced)) throw new Error(`${name} has an import() that is not of a chunk`);
    await writeFile(path, replaced);
  }
  return inOrder(outputs, [entry, ...inImage]);
}

function inOrder(outputs: Metafile["outputs"], sources: readonly string[]): string[] {
  const image = new Set<string>();
  const add = (chunk: string): void => {
    if (image.has(chunk)) return;
    image.add(chunk);
    for (const { path, kind } of outputs[chunk]?.imports ?? []) if (kind === "import-statement") add(path);
  };
  for (const source of sources) {
    const chunk = Object.keys(outputs).find((name) => outputs[name]?.entryPoint === source);
    if (chunk === undefined) throw new Error(`${source} is loaded by no import(): correct IN_IMAGE`);
    add(chunk);
  }
  const others = Object.keys(outputs).filter((chunk) => !image.has(chunk));
  const names = (paths: Iterable<string>) => Array.from(paths, (path) => basename(path));
  return [...names(image), "", ...names(others).sort(), ""];
}

/** The compiled bundle of the chunks in a folder, in this order. @throws Error when one does not compile */
export function compileChunks(compiler: string, folder: string, order: readonly string[]): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync([compiler, folder, ...order]);
  if (exitCode !== 0) throw new Error(`the chunks do not compile: ${stderr}`);
  return stdout;
}

/** The image of the heap that a program makes of a compiled bundle. @throws Error */
export function makeImage(program: readonly string[], compiled: Buffer, env = process.env): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...program], { stdin: compiled, env });
  if (exitCode !== 0) throw new Error(`the image of the heap cannot be made: ${stderr}`);
  return stdout;
}

/** Compiles the compact file into `folder`, under all names. Returns a line about each. */
export async function compileCompact(folder: string, target: CompactTarget): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".build-"));
  try {
    const { compiler, program } = cargoBuild(target);
    const chunks = join(stage, "chunks");
    const flags = versionFlags(root, `quickjs-ng ${engineVersion(cargoMetadata(target))}`);
    const compiled = compileChunks(compiler, chunks, await bundle("src/main.ts", IN_IMAGE, chunks, flags));
    await rm(chunks, { recursive: true });
    const file = withImage(await readFile(program), makeImage([...target.runner, program], compiled));
    const most = MOST_BYTES[target.name] ?? 0;
    if (file.length > most)
      throw new Error(`the compact file for ${target.name} has ${file.length} bytes, more than ${most}`);
    await writeFile(join(stage, PROGRAM), file);
    await chmod(join(stage, PROGRAM), 0o755);
    return await publish(stage, folder, `version ${version}, needs ${needsOf(file)}`);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}
