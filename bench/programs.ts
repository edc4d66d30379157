/** The programs that are measured, and those that measure. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { compactTargets, missingFor } from "../build/toolchain.ts";
import { provideDebian } from "../conformance/debian.ts";
import { provideReference } from "../conformance/reference.ts";
import { outputOf } from "../test/support/command.ts";
import { JOB_LIMIT } from "../test/support/limits.ts";
import type { Ours, Side } from "./case.ts";

const HERE = import.meta.dir;
const PROJECT = join(HERE, "..");
const bun = process.execPath;

/** Survives from run to run; git ignores it. */
export const CACHE = join(HERE, ".cache");

/** Folders with the plugins of each side. Those of the compact file are missing where it cannot be built. */
export type Plugins = { readonly bun: string } & Readonly<Partial<Record<Exclude<Side, "floor">, string>>>;

/** Paths of all that a run needs. */
export interface Programs {
  readonly plugins: Plugins;
  /** bench/floor.c: the kernel work of an ADD and nothing else. */
  readonly floor: string;
  /** bench/launcher.c */
  readonly launcher: string;
  /** bench/copy-rules.c */
  readonly copier: string;
  /** bench/cpuid.c */
  readonly cpuid: string;
}

/** What the scratch hosts and the judges need next to the plugins. */
const TOOLS = {
  cc: "gcc",
  "/usr/include/stdio.h": "libc6-dev",
  ip: "iproute2",
  iptables: "iptables",
  "ip6tables-restore": "iptables",
  mount: "mount",
  nft: "nftables",
  unshare: "util-linux",
} as const;

/** Folders with built plugins to measure instead of this tree's. */
export type Built = Readonly<Partial<Record<Ours, string>>>;

type Say = (line: string) => void;

/**
 * Builds the plugins of all owners, and what measures them; `more` are further tools, as in TOOLS.
 * @throws Error that says what is missing and how to get it; a compact file that cannot be built is only said.
 */
export async function providePrograms(
  built: Built,
  say: Say,
  more: Readonly<Record<string, string>> = {},
): Promise<Programs> {
  mkdirSync(CACHE, { recursive: true });
  await provideDebian({ ...TOOLS, ...more }, say);
  const conformance = join(PROJECT, "conformance/.cache");
  mkdirSync(conformance, { recursive: true });
  const compact = await provideCompact(built.compact, say);
  return {
    plugins: {
      ...(compact === undefined ? {} : { compact }),
      bun: built.bun === undefined ? await buildOf("dist/bin") : resolve(built.bun),
      reference: await provideReference(conformance, say),
    },
    copier: await made("copy-rules", "copy-rules.c", compileC),
    cpuid: await made("cpuid", "cpuid.c", compileC),
    floor: await made("floor", "floor.c", compileC),
    launcher: await made("launcher", "launcher.c", compileC),
  };
}

/** The folder of the compact file, which is built if this machine has the compilers. */
async function provideCompact(built: string | undefined, say: Say): Promise<string | undefined> {
  if (built !== undefined) return resolve(built);
  const [target] = compactTargets(false);
  const missing = target === undefined ? `there is none for ${process.arch} processors` : missingFor(target);
  if (missing === undefined) return await buildOf("dist/compact", "--compact");
  const folder = join(PROJECT, "dist/compact");
  if (existsSync(folder)) {
    say(
      `measuring the compact file that dist/compact holds, which may be older than the sources: ${missing}`,
    );
    return folder;
  }
  say(`the compact file is not measured: ${missing}`);
  return undefined;
}

async function buildOf(folder: string, ...flags: string[]): Promise<string> {
  await outputOf([bun, "build.ts", ...flags], { cwd: PROJECT, timeout: JOB_LIMIT });
  return join(PROJECT, folder);
}

/** The same with a copy of each owner's files: by as much as it differs from them, figures of a run mean nothing. */
export async function withCopies(programs: Programs): Promise<Programs> {
  const plugins: Plugins = { ...programs.plugins };
  const copies = Object.entries(plugins).map(async ([owner, folder]) => {
    const copy = join(CACHE, `${owner}-copy`);
    await outputOf(["/bin/sh", "-c", 'rm -rf "$1" && cp -a "$0" "$1"', folder, copy]);
    return [`${owner}-copy`, copy] as const;
  });
  return { ...programs, plugins: { ...plugins, ...Object.fromEntries(await Promise.all(copies)) } };
}

const compileC = (file: string, source: string) => ["cc", "-O2", "-Wall", "-o", file, source];

/** A file in the cache, made again when its source is newer. */
async function made(
  name: string,
  source: string,
  command: (file: string, source: string) => string[],
): Promise<string> {
  const file = join(CACHE, name);
  const from = join(HERE, source);
  if (existsSync(file) && statSync(file).mtimeMs > statSync(from).mtimeMs) return file;
  await outputOf(command(file, from), { cwd: CACHE, timeout: JOB_LIMIT });
  return file;
}
