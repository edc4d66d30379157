/**
 * The targets of the Bun file, and Bun's programs for them. These are fetched from the npm registry, in the version that
 * package.json pins, and must have the checksum in package-lock.json. They are kept in .cache/, which git ignores.
 *
 * There are no "baseline" targets: in this Bun version the baseline program equals the normal one, which looks for AVX2
 * when it starts.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { devDependencies } from "../package.json";
import { root, run } from "./compile.ts";

/** A system that the Bun file is built for. */
export interface Target {
  /** As in the tarball's name. */
  readonly name: string;
  /** As Bun's --target names it. */
  readonly bun: string;
  /** The npm package that holds the target's Bun program. */
  readonly source: string;
}

/** All of them. */
export const TARGETS: readonly Target[] = [
  { name: "linux-x64-glibc", bun: "bun-linux-x64", source: "@oven/bun-linux-x64" },
  { name: "linux-x64-musl", bun: "bun-linux-x64-musl", source: "@oven/bun-linux-x64-musl" },
  { name: "linux-arm64-glibc", bun: "bun-linux-arm64", source: "@oven/bun-linux-aarch64" },
  { name: "linux-arm64-musl", bun: "bun-linux-arm64-musl", source: "@oven/bun-linux-aarch64-musl" },
];

/** Path of the target's Bun program, fetched on first use. @throws Error when its checksum is wrong */
export async function bunProgram(target: Target): Promise<string> {
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
