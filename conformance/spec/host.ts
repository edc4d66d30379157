/**
 * The host that a case works on: a network namespace for the host and one for each container, in the mounts of this
 * process (see test/support/isolation.ts). Paths and names are the same on both sides.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, outcomeOf, outputOf } from "../../test/support/command.ts";
import { COMMAND_LIMIT } from "../../test/support/limits.ts";
import { FILES, netnsPath } from "./case.ts";
import { captureScript, type State, stateOf } from "./state.ts";

export const HOST = "host";
/** Of the plugins. The tools are found as test/support/tools.ts provides them. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Duplicate address detection ends at once: no case is about it, and it would cost two seconds each. */
const FAST_IPV6 = `for s in all default; do
  echo 0 > /proc/sys/net/ipv6/conf/$s/router_solicitations
  echo 0 > /proc/sys/net/ipv6/conf/$s/dad_transmits
done`;

/** By its path: a case may take PATH away. */
const NSENTER = Bun.which("nsenter") ?? "nsenter";

export type Environment = Readonly<Record<string, string | undefined>>;

export class Host {
  readonly #containers: readonly string[];

  private constructor(containers: readonly string[]) {
    this.#containers = containers;
  }

  static async open(containers: readonly string[]): Promise<Host> {
    mkdirSync(FILES, { recursive: true });
    const all = [HOST, ...containers];
    const script = [
      "set -e",
      ...all.map((name) => `ip netns add ${name}`),
      ...all.map((name) => `nsenter --net=${netnsPath(name)} /bin/sh -c '${FAST_IPV6}'`),
      `nsenter --net=${netnsPath(HOST)} /bin/sh -c 'ip link set lo up
        echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding'`,
    ];
    await outputOf(script.join("\n"));
    return new Host(containers);
  }

  /** Standard output of a shell script on the host. @throws CommandFailed */
  run(script: string): Promise<string> {
    return outputOf(this.onHost(["/bin/sh", "-c", script]));
  }

  /** Runs a program on the host to its end, with this environment beside PATH and nothing else. */
  call(
    words: readonly string[],
    environment: Environment,
    stdin: string,
    timeout = COMMAND_LIMIT,
  ): Promise<Outcome> {
    return outcomeOf(this.onHost(words), { env: variables(environment), stdin, timeout });
  }

  /**
   * The same with a standard input that stays open and gives nothing: a socket. Killed after `limit` milliseconds,
   * which the exit code 137 tells.
   */
  async callSilent(words: readonly string[], environment: Environment, limit = 10_000): Promise<Outcome> {
    const child = Bun.spawn(this.onHost(words), {
      env: variables(environment),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      timeout: limit,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    await child.stdin.end();
    return { command: words.join(" "), exitCode, stdout, stderr };
  }

  onHost(words: readonly string[]): string[] {
    return [NSENTER, `--net=${netnsPath(HOST)}`, "--", ...words];
  }

  async state(): Promise<State> {
    return stateOf(await outputOf(captureScript(HOST, this.#containers)));
  }

  /** Removes everything of this host. */
  async close(): Promise<void> {
    const namespaces = readdirSync("/run/netns");
    const unmount = namespaces.map((name) => `umount -l ${netnsPath(name)} 2>/dev/null`);
    await outcomeOf([...unmount, "true"].join("\n"));
    for (const name of namespaces) rmSync(netnsPath(name), { recursive: true, force: true });
    for (const folder of [FILES, "/var/lib/cni"]) {
      for (const name of entriesOf(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}

function variables(environment: Environment): Record<string, string> {
  const set = Object.entries({ PATH, ...environment });
  return Object.fromEntries(set.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
