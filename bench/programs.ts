/** The programs that are measured, and those that measure. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { provideDebian } from "../conformance/debian.ts";
import { provideReference } from "../conformance/reference.ts";
import { outputOf } from "../test/support/command.ts";
import { JOB_LIMIT } from "../test/support/limits.ts";

const HERE = import.meta.dir;
const PROJECT = join(HERE, "..");
const bun = process.execPath;

/** Survives from run to run; git ignores it. */
export const CACHE = join(HERE, ".cache");

/** Paths of all that a run needs. */
export interface Programs {
  /** Folders with the plugins of each side. */
  readonly ours: string;
  readonly reference: string;
  /** A copy of ours: what it differs by in a run, no change can be told from. */
  readonly copy: string;
  /** A "hello" that the same Bun compiled: the least that a program made in this way can take. */
  readonly hello: string;
  /** bench/floor.c: the kernel work of an ADD and nothing else. */
  readonly floor: string;
  /** bench/launcher.c */
  readonly launcher: string;
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

/**
 * Builds the plugins and the launcher. `bin` is a folder with built plugins to measure instead of this tree's; `more`
 * are further tools, as in TOOLS. @throws Error that says what is missing and how to get it.
 */
export async function provideOurs(
  bin: string | undefined,
  say: (line: string) => void,
  more: Readonly<Record<string, string>> = {},
): Promise<Pick<Programs, "ours" | "launcher">> {
  mkdirSync(CACHE, { recursive: true });
  await provideDebian({ ...TOOLS, ...more }, say);
  if (bin === undefined) await outputOf([bun, "build.ts"], { cwd: PROJECT, timeout: JOB_LIMIT });
  return {
    ours: bin === undefined ? join(PROJECT, "dist/bin") : resolve(bin),
    launcher: await made("launcher", "launcher.c", compileC),
  };
}

/** The same, and what they are measured beside. */
export async function providePrograms(
  bin: string | undefined,
  say: (line: string) => void,
): Promise<Programs> {
  const ours = await provideOurs(bin, say);
  const copy = join(CACHE, "copy");
  await outputOf(["/bin/sh", "-c", 'rm -rf "$1" && cp -a "$0" "$1"', ours.ours, copy]);
  const conformance = join(PROJECT, "conformance/.cache");
  mkdirSync(conformance, { recursive: true });
  return {
    ...ours,
    copy,
    cpuid: await made("cpuid", "cpuid.c", compileC),
    reference: await provideReference(conformance, say),
    hello: await made(`hello-${Bun.version}`, "hello.ts", (file, source) => [
      ...[bun, "build", "--compile", "--minify", "--bytecode", "--outfile", file, source],
    ]),
    floor: await made("floor", "floor.c", compileC),
  };
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
