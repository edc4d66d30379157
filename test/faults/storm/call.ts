/** One call of a plugin as a runtime makes it, with a deadline, and perhaps killed on the way. */
import { COMMAND_LIMIT } from "../../support/limits.ts";

/** No operation may take longer: the longest wait of a plugin is 20 s, for a lock. */
export const DEADLINE = COMMAND_LIMIT;

export interface Call {
  readonly command: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  readonly config: object;
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
    stdin: Buffer.from(JSON.stringify(options.config)),
    stdout: options.unheard === true ? Bun.file("/dev/full") : "pipe",
    stderr: "pipe",
    env: {
      PATH: process.env.PATH,
      CNI_PATH: binaries,
      CNI_COMMAND: options.command,
      CNI_CONTAINERID: options.containerId,
      CNI_NETNS: options.netns,
      CNI_IFNAME: options.ifname,
      CNI_ARGS: options.args,
    },
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

/** The error object of a failed operation, undefined when it printed something else. */
export interface CniFailure {
  readonly code: number;
  readonly msg: string;
}

/**
 * What the protocol forbids of this end (rules A16 to A21): exit code and output that disagree, an error that is not
 * one object, a stack trace, an end by a signal.
 */
export function offences(command: string, { exitCode, stdout, stderr, late, unheard }: Ended): string[] {
  const found: string[] = [];
  if (late) found.push(`it hung: no end within ${DEADLINE / 1000} s`);
  else if (exitCode !== 0 && exitCode !== 1) found.push(`exit code ${exitCode}`);
  if (/^\s+at .*:\d+:\d+|panic|Bun v\d/m.test(stderr)) found.push("a stack trace");
  if (exitCode === 0 && command !== "ADD" && stdout !== "") found.push("success with output");
  if (exitCode === 0 && command === "ADD" && resultOf(stdout) === undefined)
    found.push("success without a result");
  if (exitCode === 1 && !unheard && failureOf(stdout) === undefined)
    found.push("failure without an error object");
  return found;
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

export function failureOf(stdout: string): CniFailure | undefined {
  const { code, msg, cniVersion, ips } = objectOf(stdout) ?? {};
  if (typeof code !== "number" || code === 0 || typeof msg !== "string" || msg === "") return undefined;
  return typeof cniVersion === "string" && ips === undefined ? { code, msg } : undefined;
}

export function resultOf<T>(stdout: string): T | undefined {
  const { cniVersion, interfaces, ips, code } = objectOf(stdout) ?? {};
  const whole =
    cniVersion !== undefined && Array.isArray(interfaces) && Array.isArray(ips) && code === undefined;
  return whole ? (JSON.parse(stdout) as T) : undefined;
}
