/** The interface between the protocol and a plugin: a request goes in, a result comes out. */
import type { IpAddress } from "../net/ip.ts";
import type { Attachment, ContainerInterface } from "./attachment.ts";
import type { CallTime } from "./call-time.ts";
import type { NetworkConfig } from "./config.ts";
import type { Command, Environment } from "./environment.ts";
import { toCniError } from "./error.ts";
import type { Result } from "./result.ts";
import { takeBack } from "./undo.ts";
import type { Version } from "./version.ts";

/** An address that an IPAM plugin is about to free, and the attachment that holds it. */
export interface HeldAddress extends ContainerInterface {
  readonly address: IpAddress;
}

/** Exit status and output of a child process. */
export interface ChildOutcome {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** Name of that signal: "SIGKILL". */
  readonly signal?: string | undefined;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** What delegation needs of the system. The program's main function provides it. */
export interface Delegation {
  /** The name that this process was called by. Delegating to it would be an endless recursion. */
  readonly calledAs?: string;
  /** Whether `path` is a file that can be executed. */
  isExecutable(path: string): boolean;
  /**
   * The built-in plugin of that name if the executable at `path` is the very file that runs now.
   * @throws CniError code 7 if it is the caller itself.
   */
  builtIn(path: string, name: string): Plugin | undefined;
  /**
   * Runs an executable to its end. Rejects if it can't be started, takes too long or prints too much. The error's message
   * does not name the path; the error may have `stderr`.
   */
  run(path: string, environment: Environment, stdin: Uint8Array): Promise<ChildOutcome>;
}

/**
 * One call, validated: environment by A1–A4, configuration by A9–A15. For GC and STATUS the attachment's strings are empty
 * (rule A2); for DEL `netns` may be empty (rule A30).
 */
export interface Request extends Attachment {
  readonly command: Command;
  /** CNI_NETNS: a path, not yet opened. */
  readonly netns: string;
  /** CNI_ARGS, unparsed (see args.ts). */
  readonly args: string;
  /** CNI_PATH split at ":". */
  readonly path: readonly string[];
  readonly config: NetworkConfig;
  /** Standard input, which delegates get unchanged (rule A42). */
  readonly stdin: Uint8Array;
  readonly environment: Environment;
  readonly delegation: Delegation;
  readonly time: CallTime;
  /** Writes one line on stderr. */
  readonly log: (line: string) => void;
  /**
   * Returns what still uses an address, as a clause (`interface "eth0" … has it`), or undefined when the address may be
   * freed. An interface plugin gives it to a delegate in this process when it is not sure that the interface is deleted.
   * `among` returns all addresses in question, so that one search serves them all.
   */
  readonly userOf?: (held: HeldAddress, among: () => readonly HeldAddress[]) => Promise<string | undefined>;
}

/** A command other than ADD. */
export type CommandWithoutResult = Exclude<Command, "ADD">;

/**
 * A plugin. `add` returns the result in its current form; the protocol writes it in the configuration's version.
 * `add` and `run` throw CniError, KeyError for a key of the configuration, or any other error (code 999).
 */
export interface Plugin {
  readonly name: string;
  /** Whether it makes interfaces, gives addresses to plugins that make them, or works on what the plugins before it made. */
  readonly kind: "interface" | "ipam" | "chained";
  /** The first version of the protocol that it supports, if not all. */
  readonly oldest?: Version;
  add(request: Request): Promise<Result>;
  run(command: CommandWithoutResult, request: Request): Promise<void>;
}

/**
 * Runs ADD and passes the result to `deliver`. If `deliver` throws, DEL deletes the attachment first: a caller without
 * a result does not know what it would have to delete.
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
