/** Calls of a network's plugins as a runtime makes them, with a deadline, and perhaps killed on the way. */
import { COMMAND_LIMIT } from "../../support/limits.ts";
import { environmentOf, type PluginCall, stdinOf } from "../../support/plugin-call.ts";
import { objectOf, protocolProblems } from "../../support/protocol.ts";
import { mappingsOf, type Network } from "./networks.ts";

/** No operation may take longer: the longest wait of a plugin is 20 s, for a lock. */
export const DEADLINE = COMMAND_LIMIT;

export interface Call extends Omit<PluginCall, "env" | "cwd" | "timeout" | "path" | "config"> {
  /** Keys of the first plugin's configuration. */
  readonly keys?: object;
  /** Keys of each plugin's configuration, such as `prevResult`. */
  readonly shared?: object;
  /** Milliseconds after which what runs is killed, and no more is called; not at all when left out. */
  readonly killAfter?: number;
  /** Whether the last plugin's standard output takes nothing, as a file on a full disk. */
  readonly unheard?: boolean;
}

type OneCall = Omit<PluginCall, "env" | "cwd" | "timeout" | "path"> & Pick<Call, "killAfter" | "unheard">;

export interface Ended {
  readonly began: number;
  readonly milliseconds: number;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** By the storm, before it ended by itself. */
  readonly killed: boolean;
  readonly late: boolean;
  /** Nobody could hear what it said on standard output. */
  readonly unheard: boolean;
  /** The plugin that was the last to run. */
  readonly plugin: string;
}

/** A runtime that ended between two plugins. */
const KILLED = { exitCode: 137, stdout: "", stderr: "", killed: true, late: false, unheard: false } as const;

/**
 * Calls the plugins of a network as a runtime does: DEL in reverse, ADD with the result of the one before, and none after a
 * failure, but for GC. Gives the end of the last one that ran, or of the first one that failed.
 */
export async function call(binaries: string, network: Network, options: Call): Promise<Ended> {
  const { keys, shared, killAfter = Number.POSITIVE_INFINITY, unheard, ...variables } = options;
  const { command, containerId = "" } = variables;
  const began = performance.now();
  const chain = command === "DEL" ? network.chain.toReversed() : network.chain;
  let failed: Ended | undefined;
  let last: Ended | undefined;
  let prevResult = {};
  for (const config of chain) {
    const plugin = String(config.type);
    const left = killAfter - (performance.now() - began);
    if (last !== undefined && left <= 0) {
      last = { ...last, ...KILLED };
      break;
    }
    last = await callOne(binaries, plugin, {
      ...variables,
      config: {
        ...config,
        ...(plugin === "bridge" && keys),
        ...(plugin === "portmap" && { runtimeConfig: { portMappings: mappingsOf(network, containerId) } }),
        ...shared,
        ...prevResult,
      },
      ...(left !== Number.POSITIVE_INFINITY && { killAfter: Math.max(0, left) }),
      ...(config === chain.at(-1) && unheard !== undefined && { unheard }),
    });
    if (last.exitCode !== 0) failed ??= last;
    if (last.killed || (last.exitCode !== 0 && command !== "GC")) break;
    if (command === "ADD") prevResult = { prevResult: objectOf(last.stdout) };
  }
  const end = last?.killed ? last : (failed ?? last);
  if (end === undefined) throw new Error(`network ${network.name} has no plugins`);
  return { ...end, began, milliseconds: performance.now() - began };
}

async function callOne(binaries: string, plugin: string, options: OneCall): Promise<Ended> {
  const began = performance.now();
  const child = Bun.spawn([`${binaries}/${plugin}`], {
    stdin: stdinOf(options),
    stdout: options.unheard === true ? Bun.file("/dev/full") : "pipe",
    stderr: "pipe",
    env: environmentOf(options, binaries),
  });
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, DEADLINE);
  const killer =
    options.killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.killAfter);
  const exitCode = await child.exited;
  clearTimeout(deadline);
  clearTimeout(killer);
  const [stdout, stderr] = await Promise.all([
    child.stdout instanceof ReadableStream ? new Response(child.stdout).text() : "",
    new Response(child.stderr).text(),
  ]);
  return {
    began,
    milliseconds: performance.now() - began,
    exitCode,
    stdout,
    stderr,
    killed: options.killAfter !== undefined && !late && child.signalCode === "SIGKILL",
    late,
    unheard: options.unheard === true,
    plugin,
  };
}

/** What the protocol forbids of this end. An error that nothing could hear is not missed. */
export function offences(command: string, ended: Ended): string[] {
  if (ended.late) return [`it hung: no end within ${DEADLINE / 1000} s`];
  return protocolProblems(command, ended).filter(
    (problem) => !(ended.unheard && ended.exitCode === 1 && problem.startsWith("failure without")),
  );
}

/** A whole result of ADD; undefined for any other text. */
export function resultOf<T>(stdout: string): T | undefined {
  const result = objectOf(stdout);
  const { cniVersion, interfaces, ips, code } = result ?? {};
  const whole =
    cniVersion !== undefined && Array.isArray(interfaces) && Array.isArray(ips) && code === undefined;
  return whole ? (result as T) : undefined;
}
