/** The reference plugins, built from the Go module proxy at a pinned version into the cache. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, outcomeOf } from "../test/support/command.ts";

export const REFERENCE_VERSION = "v1.9.1";

const MODULE = "github.com/containernetworking/plugins";
const PACKAGES = ["plugins/main/bridge", "plugins/main/loopback", "plugins/ipam/host-local"];

/** The go directive of the reference's go.mod. */
const GO_NEEDED = [1, 24] as const;

/** Folder with the reference's bridge, loopback and host-local. @throws Error that says what is missing and how to get it. */
export async function provideReference(cache: string, say: (line: string) => void): Promise<string> {
  const folder = join(cache, `reference-${REFERENCE_VERSION}`);
  if (existsSync(folder)) return folder;
  const go = await provideGo(say);
  say(`building the reference ${REFERENCE_VERSION} with ${go}`);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const install = [go, "install", ...PACKAGES.map((path) => `${MODULE}/${path}@${REFERENCE_VERSION}`)];
  const env = { HOME: cache, ...process.env, GOBIN: unfinished, CGO_ENABLED: "0", GOTOOLCHAIN: "local" };
  const outcome = await outcomeOf(install, { env: defined(env), timeout: 900_000 });
  if (outcome.exitCode !== 0) throw new Error(`cannot build the reference: ${said(outcome)}`);
  renameSync(unfinished, folder);
  return folder;
}

/**
 * A Go that is new enough: from PATH or its customary place, else Debian's. Debian 12 has 1.19, which cannot even
 * read the reference's go.mod.
 */
async function provideGo(say: (line: string) => void): Promise<string> {
  const PATH = `${process.env.PATH ?? ""}:/usr/local/go/bin:/usr/lib/go/bin`;
  const present = Bun.which("go", { PATH });
  if (present !== null) return requireVersion(present);
  const remedy = `put Go ${GO_NEEDED.join(".")} or later on PATH`;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) throw new Error(`no go on PATH: ${remedy}`);
  const candidate = await debianVersion();
  if (candidate === undefined || !isNewEnough(candidate)) {
    const found = candidate === undefined ? "no package golang-go" : `golang-go ${candidate}`;
    throw new Error(
      `no go on PATH, and this Debian has ${found}, too old for the reference, whose go.mod wants ${GO_NEEDED.join(".")}: ${remedy}`,
    );
  }
  say("installing golang-go with apt-get, for go");
  await outcomeOf(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "golang-go"], {
    env: defined({ ...process.env, DEBIAN_FRONTEND: "noninteractive" }),
    timeout: 900_000,
  });
  const installed = Bun.which("go", { PATH });
  if (installed === null) throw new Error(`apt-get install golang-go gave no go: ${remedy}`);
  return requireVersion(installed);
}

/** The version that apt-get would install, as in "1.19". */
async function debianVersion(): Promise<string | undefined> {
  await outcomeOf(["apt-get", "update", "-qq"], { timeout: 600_000 });
  const policy = await outcomeOf(["apt-cache", "policy", "golang-go"]);
  return /Candidate: (?:\d+:)?(\d+\.\d+)/.exec(policy.stdout)?.[1];
}

async function requireVersion(go: string): Promise<string> {
  const outcome = await outcomeOf([go, "env", "GOVERSION"]);
  const version = /^go(\d+\.\d+)/.exec(outcome.stdout)?.[1];
  if (version !== undefined && isNewEnough(version)) return go;
  throw new Error(
    `${go} is ${outcome.stdout.trim() || said(outcome)}: the reference ${REFERENCE_VERSION} needs Go ${GO_NEEDED.join(".")} or later`,
  );
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > GO_NEEDED[0] || (major === GO_NEEDED[0] && minor >= GO_NEEDED[1]);
}

const said = (outcome: Outcome): string =>
  `\`${outcome.command}\` ended with exit code ${outcome.exitCode}\n${outcome.stdout}${outcome.stderr}`;

const defined = (env: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
