/**
 * `npm run build -- --all`: builds a tarball for each Linux target, to unpack into /opt/cni/bin, and their checksums.
 *
 * The targets' Bun programs are fetched from the npm registry, in the version that package.json pins, and must have the
 * checksum in package-lock.json. They are kept in .cache/, which git ignores.
 *
 * There are no "baseline" targets: in this Bun version the baseline program equals the normal one, which looks for AVX2
 * when it starts.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { devDependencies, version } from "../package.json";
import { lineOfSums, writeTar } from "./archive.ts";
import { compileCompact } from "./compact.ts";
import { compile, NAMES, root, run } from "./compile.ts";
import { compactTargets } from "./toolchain.ts";

interface Target {
  /** As in the tarball's name. */
  readonly name: string;
  /** As Bun's --target names it. */
  readonly bun: string;
  /** The npm package that holds the target's Bun program. */
  readonly source: string;
}

const TARGETS: readonly Target[] = [
  { name: "linux-x64-glibc", bun: "bun-linux-x64", source: "@oven/bun-linux-x64" },
  { name: "linux-x64-musl", bun: "bun-linux-x64-musl", source: "@oven/bun-linux-x64-musl" },
  { name: "linux-arm64-glibc", bun: "bun-linux-arm64", source: "@oven/bun-linux-aarch64" },
  { name: "linux-arm64-musl", bun: "bun-linux-arm64-musl", source: "@oven/bun-linux-aarch64-musl" },
];

/** Documents in the tarball. Their names have the project's, since many projects share /opt/cni/bin. */
const DOCUMENTS = {
  "bridgehead-LICENSE": "LICENSE",
  "bridgehead-README.md": "README.md",
  "bridgehead-THIRD-PARTY.md": "THIRD-PARTY.md",
} as const;

/** Writes all tarballs and SHA256SUMS into `folder`, which is emptied first. Yields a line about each file. */
export async function* release(folder: string): AsyncGenerator<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".stage-"));
  try {
    let sums = "";
    const tarballOf = async function* (name: string, make: (files: string) => Promise<string[]>) {
      const files = join(stage, name);
      const [about = ""] = await make(files);
      const tarball = join(folder, `bridgehead-${version}-${name}.tar.gz`);
      await pack(files, tarball);
      sums += await lineOfSums(tarball);
      yield `dist/release/${basename(tarball)}  ${((await stat(tarball)).size / 2 ** 20).toFixed(1)} MiB  ${about.split("MiB  ")[1]}`;
    };
    for (const target of TARGETS) {
      const program = await bunProgram(target);
      const flags = [`--target=${target.bun}`, `--compile-executable-path=${program}`];
      yield* tarballOf(target.name, (files) => compile(files, flags));
    }
    for (const target of compactTargets(true))
      yield* tarballOf(`${target.name}-compact`, (files) => compileCompact(files, target));
    await writeFile(join(folder, "SHA256SUMS"), sums);
    yield "dist/release/SHA256SUMS";
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/**
 * The members are plain names without a folder, so that unpacking keeps the owner and mode of /opt/cni/bin. The programs
 * are one file with hard links, also after unpacking.
 */
export async function pack(files: string, tarball: string): Promise<void> {
  for (const [name, source] of Object.entries(DOCUMENTS)) await cp(join(root, source), join(files, name));
  const members = [...NAMES, ...Object.keys(DOCUMENTS)];
  const unexpected = (await readdir(files)).filter((name) => !members.includes(name));
  if (unexpected.length > 0) throw new Error(`${files} holds unexpected files: ${unexpected.join(", ")}`);
  writeTar(files, members, tarball, "gzip -9n");
}

/** Path of the target's Bun program, fetched on first use. @throws Error when its checksum is wrong */
async function bunProgram(target: Target): Promise<string> {
  const pinned = devDependencies.bun;
  if (Bun.version !== pinned)
    throw new Error(`package.json pins bun ${pinned}, this is bun ${Bun.version}: run npm ci`);
  const folder = join(root, ".cache", `bun-${pinned}`, target.name);
  const program = join(folder, "bun");
  if (await Bun.file(program).exists()) return program;

  const locked: unknown = await Bun.file(join(root, "package-lock.json")).json();
  const expected = lockedSum(locked, target.source);
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(folder, ".fetch-"));
  try {
    run(["npm", "pack", "--silent", `--pack-destination=${stage}`, `${target.source}@${pinned}`]);
    const file = (await readdir(stage)).find((name) => name.endsWith(".tgz"));
    if (file === undefined) throw new Error(`npm pack ${target.source} wrote no .tgz file`);
    const bytes = await readFile(join(stage, file));
    const sum = `sha512-${new Bun.CryptoHasher("sha512").update(bytes).digest("base64")}`;
    if (sum !== expected)
      throw new Error(`${target.source}@${pinned} has sum ${sum}; package-lock.json says ${expected}`);
    run(["tar", "-xzf", join(stage, file), "-C", stage, "--strip-components=2", "package/bin/bun"]);
    await rename(join(stage, "bun"), program);
    return program;
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** The `integrity` of a package in package-lock.json. */
function lockedSum(lock: unknown, name: string): string {
  const { packages } = lock as { packages: Record<string, { integrity?: string } | undefined> };
  const sum = packages[`node_modules/${name}`]?.integrity;
  if (sum === undefined) throw new Error(`package-lock.json has no sum of ${name}; run npm install`);
  return sum;
}
