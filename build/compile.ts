/** Compiles src/main.ts to one native file under several names. */
import { chmod, copyFile, link, mkdir, mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { version } from "../package.json";
import { PLUGINS } from "../src/plugins/registry.ts";
import { variablePatches } from "./close-variables.ts";
import { crashReportPatches } from "./crash-report.ts";
import { enginePatches } from "./engine-options.ts";
import { needsOf } from "./needs.ts";
import { optional, patchFile } from "./patch.ts";
import { versionFlags } from "./program-version.ts";
import { startUpPatches } from "./start-up-files.ts";

/** The names of the program. The first is the file, the others are hard links to it. */
export const PROGRAM = "bridgehead";
export const NAMES: readonly string[] = [PROGRAM, ...PLUGINS.map(({ name }) => name)];

/** The folder that holds package.json. */
export const root = dirname(import.meta.dir);

/**
 * Bun's flags. The autoload flags close a hole: by default a compiled program obeys .env and bunfig.toml in its working
 * directory, and root starts plugins in any directory. The result is not stripped, since that saves only 0.05 of 104 MiB.
 *
 * --splitting loads only what a command needs, which saves VERSION 1 of 7 ms. The JIT policy delays the compilation of a
 * function by a factor of 100, since a plugin ends before it pays. This saves ADD 4 of 20 ms of CPU time, mostly on other
 * threads. With 30, dual-stack ADDs just reach the compiler, for 6 % of their CPU time. With 100, a scan of 10,000 leases
 * takes no longer. 1000 saves nothing more, and longer work would miss the compiler.
 */
const FLAGS = [
  "--compile",
  "--minify",
  "--bytecode",
  "--splitting",
  "--compile-jit-policy=100",
  "--format=esm",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  "--reject-unresolved",
] as const;

/** Runs a command to its end. @throws Error with its output when it fails */
export function run(command: readonly string[], options: { cwd?: string } = {}): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: options.cwd ?? root });
  if (exitCode === 0) return stdout.toString();
  throw new Error(`${command.join(" ")} ended with exit code ${exitCode}\n${stdout}${stderr}`);
}

/**
 * Compiles into `folder`. Each file is replaced with rename(2), so that a running plugin goes on undisturbed. Returns a
 * line about each file.
 */
export async function compile(folder: string, targetFlags: readonly string[] = []): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  // A temporary folder instead of a temporary file name: Bun writes the file's name into the program.
  const stage = await mkdtemp(join(folder, ".build-"));
  try {
    run([
      process.execPath,
      "build",
      "src/main.ts",
      ...FLAGS,
      ...versionFlags(root, `Bun ${Bun.version}`),
      ...targetFlags,
      "--outfile",
      join(stage, PROGRAM),
    ]);
    const length = await lengthOfRuntime(targetFlags);
    await patchFile(join(stage, PROGRAM), (bytes) => {
      const runtime = bytes.subarray(0, length);
      return [
        ...variablePatches(runtime),
        ...crashReportPatches(runtime),
        ...optional(() => enginePatches(runtime)),
        ...optional(() => startUpPatches(runtime)),
      ];
    });
    await chmod(join(stage, PROGRAM), 0o755);
    const needs = needsOf(await readFile(join(stage, PROGRAM)));
    return await publish(stage, folder, `version ${version}, needs ${needs}`);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/**
 * Bytes of the runtime at the beginning of the compiled file. What follows are our modules, and those of the runtime that they
 * import, as bytecode: names there are read by JavaScript only, and would be found beside those of the runtime itself.
 */
async function lengthOfRuntime(targetFlags: readonly string[]): Promise<number> {
  const flag = targetFlags.find((each) => each.startsWith(EXECUTABLE));
  return (await stat(flag?.slice(EXECUTABLE.length) ?? process.execPath)).size;
}

/** Bun's flag for the runtime of another target. */
const EXECUTABLE = "--compile-executable-path=";

/** Moves the program from `stage` to `folder`, under all names. Returns a line about each file. */
export async function publish(stage: string, folder: string, about: string): Promise<string[]> {
  const remarks = new Map<string, string>([[PROGRAM, about]]);
  for (const { name: plugin } of PLUGINS) {
    const linked = await linkOrCopy(join(stage, PROGRAM), join(stage, plugin));
    remarks.set(plugin, linked ? `hard link to ${PROGRAM}` : NO_LINKS);
  }
  for (const name of NAMES) await rename(join(stage, name), join(folder, name));
  return await Promise.all(NAMES.map((name) => lineAbout(join(folder, name), remarks.get(name) ?? "")));
}

const NO_LINKS = "copy: this file system has no hard links, so bridge runs host-local as a separate process";

/** Returns whether a hard link was possible. */
async function linkOrCopy(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch {
    await copyFile(from, to);
    return false;
  }
}

/** The line that a build prints about a file that it has written. */
export async function lineAbout(path: string, remark: string): Promise<string> {
  const mebibytes = ((await stat(path)).size / 2 ** 20).toFixed(1);
  return `${shown(path).padEnd("dist/compact/bridgehead".length)}  ${mebibytes} MiB  ${remark}`;
}

/** A path as a build prints it: inside of the project, from its folder. */
export const shown = (path: string): string =>
  path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
