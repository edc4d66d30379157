/**
 * The host that a kernel test works on: the network that this process is in, which test/run.ts made for it alone.
 * After each test it must be as before; a test that leaves something behind fails.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Command, type CommandOptions, outcomeOf, outputOf } from "./command.ts";
import { type HostState, hostState } from "./host-state.ts";
import { builtBinaries, callProgram, type PluginCall, type PluginOutcome } from "./plugin-call.ts";
import { expectUnchanged, stateDifference } from "./state-difference.ts";

/** A named network namespace: the container of a test, or a machine beside the host. */
export class NamedNamespace {
  readonly name: string;
  /** As a runtime gives it in CNI_NETNS. */
  readonly path: string;

  constructor(name: string) {
    this.name = name;
    this.path = `/var/run/netns/${name}`;
  }

  /** Standard output of a command that runs inside. @throws CommandFailed */
  run(command: Command, options?: CommandOptions): Promise<string> {
    return outputOf(this.inside(command), options);
  }

  /** The JSON document that a command prints inside, as in `ip -j addr`. */
  async json<T>(command: Command): Promise<T> {
    return JSON.parse((await this.run(command)) || "[]") as T;
  }

  /** The command that runs `command` inside. */
  inside(command: Command): string[] {
    const words = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    return ["nsenter", `--net=${this.path}`, "--", ...words];
  }
}

/** The host, as long as one test has it. */
export class ScratchHost {
  private readonly namespaces: NamedNamespace[] = [];
  /** Resolves when the test has given the host back. */
  readonly given = Promise.withResolvers<void>();
  private isOver = false;

  /** Ends what a test does that has run into its limit: each further use of the host is an error. */
  end(): void {
    this.isOver = true;
  }

  private use(): void {
    if (this.isOver) throw new Error("the time of this test is over, and another one has the host");
  }

  /** Adds a named network namespace with lo up. It goes at the end of the test. */
  async addNamespace(name: string): Promise<NamedNamespace> {
    this.use();
    const namespace = new NamedNamespace(name);
    await outputOf(["ip", "netns", "add", name]);
    this.namespaces.push(namespace);
    await namespace.run(["ip", "link", "set", "lo", "up"]);
    return namespace;
  }

  /** Standard output of a command. @throws CommandFailed */
  async run(command: Command, options?: CommandOptions): Promise<string> {
    this.use();
    return outputOf(command, options);
  }

  /** The JSON document that a command prints. */
  async json<T>(command: Command): Promise<T> {
    return JSON.parse((await this.run(command)) || "[]") as T;
  }

  /** Calls a built plugin, whatever its exit code; perhaps under another program, such as strace with its options. */
  async plugin(name: string, call: PluginCall, under: readonly string[] = []): Promise<PluginOutcome> {
    this.use();
    return callProgram([...under, `${builtBinaries()}/${name}`], call);
  }

  /** The state as it is now. */
  async state(): Promise<HostState> {
    this.use();
    return hostState();
  }

  /** Runs `body`, after which the host must be as it was before. Gives what `body` gives. */
  async unchangedBy<T>(body: () => Promise<T>, mayDiffer: readonly RegExp[] = []): Promise<T> {
    const before = await this.state();
    const value = await body();
    expectUnchanged(before, await this.state(), mayDiffer);
    return value;
  }

  /** Removes the namespaces of this test, those that are gone already included. */
  async removeNamespaces(): Promise<void> {
    for (const { name } of this.namespaces.splice(0)) await outcomeOf(["ip", "netns", "delete", name]);
  }
}

/** What a test may leave behind, as patterns on lines of the state: the bridge stays after a DEL (rule B33). */
export interface ScratchHostOptions {
  readonly mayKeep?: readonly RegExp[];
}

/** The test that has the host. */
let current: ScratchHost | undefined;

/**
 * Gives `body` the host, then compares the host with what it was before. Whatever is left is removed either way, so
 * that the next test starts on clean ground. One that has run into its limit is ended first: bun test goes on to the
 * next test and lets its body run.
 * @throws the error of `body`, or one that lists what is not as it was.
 */
export async function withScratchHost(
  body: (host: ScratchHost) => Promise<unknown>,
  options: ScratchHostOptions = {},
): Promise<void> {
  requireScratchHost();
  current?.end();
  await current?.given.promise;
  const before = await hostState();
  const host = new ScratchHost();
  current = host;
  const failures: unknown[] = [];
  try {
    await body(host);
    await host.removeNamespaces();
    expectUnchanged(before, await hostState(), options.mayKeep);
  } catch (error) {
    failures.push(error);
  }
  try {
    await host.removeNamespaces();
    await restoreHost(before);
  } catch (error) {
    failures.push(error);
  }
  host.given.resolve();
  if (failures.length > 1) throw new Error(failures.map(String).join("\nand after that, cleaning up: "));
  if (failures.length === 1) throw failures[0];
}

/** @throws Error unless this process runs where test/run.ts puts kernel tests: on no account on the real host. */
export function requireScratchHost(): void {
  if (readFileSync("/proc/1/cmdline", "utf8").includes("\0scratch-host\0")) return;
  throw new Error("kernel tests run in a scratch host only: start them with `npm test -- PATTERN`");
}

/** Takes away what was not there before. @throws Error when that is not enough. */
export async function restoreHost(before: HostState): Promise<void> {
  if (stateDifference(before, await hostState()).length === 0) return;
  const links = JSON.parse(await outputOf(["ip", "-j", "link"])) as { ifname: string }[];
  for (const { ifname } of links) if (ifname !== "lo") await outcomeOf(["ip", "link", "delete", ifname]);
  await outcomeOf(["nft", "flush", "ruleset"]);
  for (const family of ["iptables", "ip6tables"]) await emptyLegacyTables(family);
  for (const line of before) restoreSysctl(line);
  for (const folder of ["/var/lib/cni", "/run"]) {
    for (const name of readdirSync(folder)) {
      if (name !== "netns") rmSync(`${folder}/${name}`, { recursive: true, force: true });
    }
  }
  expectUnchanged(before, await hostState());
}

async function emptyLegacyTables(family: string): Promise<void> {
  const list = `/proc/net/${family === "iptables" ? "ip" : "ip6"}_tables_names`;
  // Absent as long as the kernel has loaded nothing of the kind.
  const tables = existsSync(list) ? readFileSync(list, "utf8") : "";
  for (const table of tables.split("\n").filter((name) => name !== "")) {
    for (const action of ["-F", "-X"]) await outcomeOf([`${family}-legacy`, "-t", table, action]);
  }
}

function restoreSysctl(line: string): void {
  const [, name, value] = /^sysctl (\S+) = (.*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) return;
  const path = `/proc/sys/${name.replaceAll(".", "/")}`;
  if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value);
}
