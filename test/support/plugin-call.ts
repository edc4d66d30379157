/** A plugin as a runtime calls it: variables, a configuration on standard input, and what came back. */
import { outcomeOf } from "./command.ts";

/** What a runtime gives. Undefined variables are not set; `env` adds others. */
export interface PluginCall {
  readonly command: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  /** CNI_PATH; the folder of the plugin when left out. */
  readonly path?: string;
  /** An object is written as JSON; text, bytes and files go as they are. */
  readonly config: object | string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds after which it is killed; COMMAND_LIMIT if left out. */
  readonly timeout?: number;
}

/** Exit code and output of one call. */
export class PluginOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;

  constructor(exitCode: number, stdout: string, stderr: string) {
    this.exitCode = exitCode;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** The one JSON document on stdout. @throws Error with the whole output when it is anything else. */
  json<T = Record<string, unknown>>(): T {
    try {
      return JSON.parse(this.stdout) as T;
    } catch {
      throw new Error(`stdout is not one JSON document: ${this}`);
    }
  }

  toString(): string {
    return `exit code ${this.exitCode}, stdout ${JSON.stringify(this.stdout)}, stderr ${JSON.stringify(this.stderr)}`;
  }
}

/** Where the built plugins are: BRIDGEHEAD_BIN (set by `npm test -- --bin DIR`), or dist/bin. */
export const builtBinaries = (): string =>
  process.env.BRIDGEHEAD_BIN ?? `${import.meta.dir.slice(0, -"/test/support".length)}/dist/bin`;

/**
 * Runs a plugin of `folder`, a built one if that is left out. PATH is this process's, as the reference forks iptables;
 * nothing else of it is passed on.
 */
export const callPlugin = (
  name: string,
  call: PluginCall,
  folder = builtBinaries(),
): Promise<PluginOutcome> => callProgram([`${folder}/${name}`], call, folder);

/** A call of a built plugin with the most memory that it had resident, in MiB. What it says on stderr is left out. */
export async function measuredCall(
  name: string,
  call: PluginCall,
): Promise<{ outcome: PluginOutcome; mebibytes: number }> {
  const program = [process.execPath, `${import.meta.dir}/peak-memory.ts`, `${builtBinaries()}/${name}`];
  const { exitCode, stdout, stderr } = await callProgram(program, call);
  return { outcome: new PluginOutcome(exitCode, stdout, ""), mebibytes: Number(stderr) / 2 ** 20 };
}

/** Runs `program` as a runtime runs a plugin of `folder`: the plugin's path, or a command in front of it. */
export async function callProgram(
  program: readonly string[],
  call: PluginCall,
  folder = builtBinaries(),
): Promise<PluginOutcome> {
  const { timeout, cwd } = call;
  const { exitCode, stdout, stderr } = await outcomeOf(program, {
    env: environmentOf(call, folder),
    stdin: stdinOf(call),
    ...(timeout !== undefined && { timeout }),
    ...(cwd !== undefined && { cwd }),
  });
  return new PluginOutcome(exitCode, stdout, stderr);
}

/** The variables of a call. */
export function environmentOf(
  call: Omit<PluginCall, "config">,
  folder = builtBinaries(),
): Record<string, string> {
  const variables: Record<string, string | undefined> = {
    CNI_COMMAND: call.command,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.netns,
    CNI_IFNAME: call.ifname,
    CNI_ARGS: call.args,
    CNI_PATH: call.path ?? folder,
    PATH: process.env.PATH,
    ...call.env,
  };
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The standard input of a call. */
export const stdinOf = ({ config }: PluginCall): Uint8Array | Blob =>
  config instanceof Uint8Array || config instanceof Blob
    ? config
    : Buffer.from(typeof config === "string" ? config : JSON.stringify(config));
