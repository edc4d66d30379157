/** What a plugin is to the protocol: a name and one function for each command. */
import type { IpAddress } from "../net/ip.ts";
import type { Attachment, ContainerInterface } from "./attachment.ts";
import type { CallTime } from "./call-time.ts";
import type { NetworkConfig } from "./config.ts";
import type { Command, Environment } from "./environment.ts";
import { toCniError } from "./error.ts";
import type { Result } from "./result.ts";
import { takeBack } from "./undo.ts";

/** An address that an IPAM is about to free, and the attachment that holds it. */
export interface HeldAddress extends ContainerInterface {
  readonly address: IpAddress;
}

/** What a finished child process left. */
export interface ChildOutcome {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** Name of that signal: "SIGKILL". */
  readonly signal?: string | undefined;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * What delegation needs of the system, given by main. The protocol itself knows no files and no processes.
 */
export interface Delegation {
  /** The name that this process was called by. To delegate to that name would be to call itself without end. */
  readonly calledAs?: string;
  /** Whether `path` is a file that can be executed. */
  isExecutable(path: string): boolean;
  /**
   * The built-in plugin of that name if the executable at `path` is the very file that runs now.
   * @throws CniError code 7 if it is the caller itself.
   */
  builtIn(path: string, name: string): Plugin | undefined;
  /**
   * Runs an executable to its end. Rejects if it can't be started, or had to be stopped because it took too long or
   * printed too much: with an error whose message says why without the path, and which may have `stderr`.
   */
  run(path: string, environment: Environment, stdin: Uint8Array): Promise<ChildOutcome>;
}

/**
 * One call, validated: environment by A1–A4, configuration by A9–A15. For GC and STATUS the strings of the
 * attachment are empty (rule A2); for DEL `netns` may be (rule A30).
 */
export interface Request extends Attachment {
  readonly command: Command;
  /** CNI_NETNS: a path, not yet opened. */
  readonly netns: string;
  /** CNI_ARGS as it came; args.ts parses it. */
  readonly args: string;
  /** CNI_PATH split at ":". */
  readonly path: readonly string[];
  readonly config: NetworkConfig;
  /** Standard input as it came: delegates get it unchanged (rule A42). */
  readonly stdin: Uint8Array;
  readonly environment: Environment;
  readonly delegation: Delegation;
  readonly time: CallTime;
  /** Writes one line on stderr. */
  readonly log: (line: string) => void;
  /**
   * Given to a delegate in this process by a plugin that makes interfaces, where it is not sure that the interface is
   * gone: what still uses an address, as a clause (`interface "eth0" … has it`), so that the address must stay; undefined
   * when it may be freed. `among` gives all that will be asked for together, so that one look serves them all.
   */
  readonly userOf?: (held: HeldAddress, among: () => readonly HeldAddress[]) => Promise<string | undefined>;
}

/** A command other than ADD. */
export type CommandWithoutResult = Exclude<Command, "ADD">;

/**
 * A plugin. ADD returns the result in its current form; the protocol writes it in the configuration's version.
 * Both throw CniError, KeyError for a key of the configuration, or any error for code 999.
 */
export interface Plugin {
  readonly name: string;
  /** Whether it makes interfaces or gives addresses to plugins that do. */
  readonly kind: "interface" | "ipam";
  add(request: Request): Promise<Result>;
  run(command: CommandWithoutResult, request: Request): Promise<void>;
}

/**
 * Runs ADD and hands the result to `deliver`. If that throws, DEL takes the attachment back first: a caller that got
 * no result does not know what it would have to delete.
 */
export async function runAdd<T>(
  plugin: Plugin,
  request: Request,
  deliver: (result: Result) => T,
): Promise<T> {
  const result = await plugin.add(request);
  try {
    return deliver(result);
  } catch (error) {
    const left = await takeBack(request, "cannot take the attachment back", () =>
      plugin.run("DEL", { ...request, command: "DEL" }),
    );
    throw toCniError(error).during("cannot deliver the result").afterUndo(left);
  }
}
