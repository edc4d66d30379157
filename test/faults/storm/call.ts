/** One call of a plugin as a runtime makes it, with a deadline, and perhaps killed on the way. */
import { COMMAND_LIMIT } from "../../support/limits.ts";
import { environmentOf, type PluginCall, stdinOf } from "../../support/plugin-call.ts";
import { objectOf, protocolProblems } from "../../support/protocol.ts";

/** No operation may take longer: the longest wait of a plugin is 20 s, for a lock. */
export const DEADLINE = COMMAND_LIMIT;

export interface Call extends Omit<PluginCall, "env" | "cwd" | "timeout" | "path"> {
  /** Milliseconds after which it is killed; not at all when left out. */
  readonly killAfter?: number;
  /** Whether its standard output takes nothing, as a file on a full disk. */
  readonly unheard?: boolean;
}

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
}

export async function call(binaries: string, options: Call): Promise<Ended> {
  const began = performance.now();
  const child = Bun.spawn([`${binaries}/bridge`], {
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
