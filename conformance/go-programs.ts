/** Programs of others, built from the Go module proxy at pinned versions into the cache. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { installPackages, updateLists } from "../test/support/apt.ts";
import { type Outcome, outcomeOf } from "../test/support/command.ts";
import { JOB_LIMIT } from "../test/support/limits.ts";

export interface GoPrograms {
  /** Of the folder in the cache; the version follows it. */
  readonly name: string;
  readonly version: string;
  /** Import paths without a version, all of one module. */
  readonly packages: readonly string[];
  /** The go directive of the module's go.mod. */
  readonly goNeeded: readonly [number, number];
  /**
   * `go install` refuses a module that replaces others. With its path here it is built in its own sources, and the
   * packages are paths in there, as in "./cmd/crictl".
   */
  readonly module?: string;
  /** With `module`: the packages' tests, each as a program that is called PACKAGE.test. */
  readonly tests?: true;
  /** With `module`: contents of files that replace those in a copy of its sources, or are added, by path. */
  readonly edit?: (sources: string) => Readonly<Record<string, string>>;
}

/** Gives a folder in the cache, which it fills if need be. */
export type Provide = (cache: string, say: (line: string) => void) => Promise<string>;

/** Each built program under the last word of its import path. It throws what is missing and how to get it. */
export const goPrograms = (programs: GoPrograms): Provide =>
  cached(programs, "building", builtOf(programs), async (go, folder, cache) => {
    const { name, module, packages, version, tests } = programs;
    const env = { HOME: cache, ...process.env, GOBIN: folder, CGO_ENABLED: "0", GOTOOLCHAIN: "local" };
    let command = ["install", ...packages.map((path) => `${path}@${version}`)];
    let cwd = cache;
    if (module !== undefined) {
      const build = tests ? ["test", "-c"] : ["build"];
      command = [...build, "-mod=readonly", "-o", `${folder}/`, ...packages];
      cwd = await modulePath(go, module, programs, cache);
    }
    using sources = edited(cwd, programs);
    const timeout = JOB_LIMIT;
    const outcome = await outcomeOf([go, ...command], { env: defined(env), cwd: sources.path, timeout });
    if (outcome.exitCode !== 0) throw new Error(`cannot build ${name}: ${said(outcome)}`);
  });

/** Names of the files that are built. */
const builtOf = ({ packages, tests }: GoPrograms): string[] =>
  packages.map((path) => `${basename(path)}${tests ? ".test" : ""}`);

/** The sources with what `edit` changes: a copy, since Go verifies those that it got. It goes at the end. */
function edited(path: string, { edit }: GoPrograms): Disposable & { readonly path: string } {
  if (edit === undefined) return { path, [Symbol.dispose]: () => {} };
  const copy = mkdtempSync(join(tmpdir(), "edited-sources-"));
  cpSync(path, copy, { recursive: true });
  for (const [file, content] of Object.entries(edit(copy))) writeFileSync(file, content);
  return { path: copy, [Symbol.dispose]: () => rmSync(copy, { recursive: true, force: true }) };
}

/** A copy of a folder of a module's sources. It throws what is missing and how to get it. */
export const goSources = (programs: GoPrograms, subfolder: string): Provide =>
  cached(programs, "getting", [], async (go, folder, cache) => {
    const path = await modulePath(go, programs.packages[0] ?? "", programs, cache);
    cpSync(join(path, subfolder), folder, { recursive: true });
  });

/** What a folder in the cache is called, and which Go fills it. */
export type Origin = Pick<GoPrograms, "name" | "version" | "goNeeded">;

/** A folder is in the cache as a whole or not at all. One that lacks some of `files` is from an earlier list. */
export const cached =
  (
    programs: Origin,
    doing: string,
    files: readonly string[],
    fill: (go: string, folder: string, cache: string) => Promise<void>,
  ): Provide =>
  async (cache, say) => {
    const { name, version } = programs;
    const folder = join(cache, `${name}-${version}`);
    if (existsSync(folder) && files.every((file) => existsSync(join(folder, file)))) return folder;
    const go = await provideGo(programs, say);
    say(`${doing} ${name} ${version} with ${go}`);
    const unfinished = `${folder}.unfinished-${process.pid}`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    await fill(go, unfinished, cache);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
    return folder;
  };

/** Where Go keeps the sources of a module, which it gets first if need be. */
export async function modulePath(
  go: string,
  module: string,
  { name, version }: Origin,
  cache: string,
): Promise<string> {
  const env = { HOME: cache, ...process.env, GOTOOLCHAIN: "local" };
  const download = [go, "mod", "download", "-json", `${module}@${version}`];
  const outcome = await outcomeOf(download, { env: defined(env), cwd: cache, timeout: JOB_LIMIT });
  if (outcome.exitCode !== 0) throw new Error(`cannot get ${name}: ${said(outcome)}`);
  return (JSON.parse(outcome.stdout) as { Dir: string }).Dir;
}

/**
 * A Go that is new enough: from PATH or its customary place, else Debian's. Debian 12 has 1.19, which cannot even
 * read the go.mod of most programs of today.
 */
async function provideGo(programs: Origin, say: (line: string) => void): Promise<string> {
  const PATH = `${process.env.PATH ?? ""}:/usr/local/go/bin:/usr/lib/go/bin`;
  const present = Bun.which("go", { PATH });
  if (present !== null) return requireVersion(present, programs);
  const needed = programs.goNeeded.join(".");
  const remedy = `put Go ${needed} or later on PATH`;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) throw new Error(`no go on PATH: ${remedy}`);
  const candidate = await debianVersion();
  if (candidate === undefined || !isNewEnough(candidate, programs)) {
    const found = candidate === undefined ? "no package golang-go" : `golang-go ${candidate}`;
    throw new Error(
      `no go on PATH, and this Debian has ${found}, too old for ${programs.name}, whose go.mod wants ${needed}: ${remedy}`,
    );
  }
  say("installing golang-go with apt-get, for go");
  await installPackages(["golang-go"]);
  const installed = Bun.which("go", { PATH });
  if (installed === null) throw new Error(`apt-get install golang-go gave no go: ${remedy}`);
  return requireVersion(installed, programs);
}

/** The version that apt-get would install, as in "1.19". */
async function debianVersion(): Promise<string | undefined> {
  await updateLists();
  const policy = await outcomeOf(["apt-cache", "policy", "golang-go"]);
  return /Candidate: (?:\d+:)?(\d+\.\d+)/.exec(policy.stdout)?.[1];
}

async function requireVersion(go: string, programs: Origin): Promise<string> {
  const outcome = await outcomeOf([go, "env", "GOVERSION"]);
  const version = /^go(\d+\.\d+)/.exec(outcome.stdout)?.[1];
  if (version !== undefined && isNewEnough(version, programs)) return go;
  throw new Error(
    `${go} is ${outcome.stdout.trim() || said(outcome)}: ${programs.name} ${programs.version} needs Go ${programs.goNeeded.join(".")} or later`,
  );
}

function isNewEnough(version: string, { goNeeded }: Origin): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > goNeeded[0] || (major === goNeeded[0] && minor >= goNeeded[1]);
}

/** All that a command printed, for an error. */
export const said = (outcome: Outcome): string =>
  `\`${outcome.command}\` ended with exit code ${outcome.exitCode}\n${outcome.stdout}${outcome.stderr}`;

/** An environment as commands take it. */
export const defined = (env: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
