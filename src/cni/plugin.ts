/** What a plugin is to the protocol: a name and one function for each command. */
import type { IpAddress } from "../net/ip.ts";
import type { Attachment, ContainerInterface } from "./attachment.ts";
import type { CallTime } from "./call-time.ts";
import type { NetworkConfig } from "./config.ts";
import type { Delegation } from "./delegate.ts";
import type { Environment } from "./environment.ts";
import { toCniError } from "./error.ts";
import type { Result } from "./result.ts";

/** The commands that a plugin has. VERSION is not among them: the protocol answers it. */
export const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;

/** A command of CNI_COMMAND that a plugin has. */
export type Command = (typeof COMMANDS)[number];

/** An address that an IPAM is about to free, and the attachment that holds it. */
export interface HeldAddress extends ContainerInterface {
  readonly address: IpAddress;
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

/**
 * A plugin. ADD returns the result in its current form; the protocol writes it in the configuration's version.
 * All of them throw CniError, or any error for code 999.
 */
export interface Plugin {
  readonly name: string;
  add(request: Request): Promise<Result>;
  check(request: Request): Promise<void>;
  del(request: Request): Promise<void>;
  gc(request: Request): Promise<void>;
  status(request: Request): Promise<void>;
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
      plugin.del({ ...request, command: "DEL" }),
    );
    throw toCniError(error).during("cannot deliver the result").afterUndo(left);
  }
}

/** Runs a DEL as an undo. What it could not do is logged and returned, with `headline` in front. */
export async function takeBack(
  { time, log }: Request,
  headline: string,
  del: () => Promise<void>,
): Promise<string[]> {
  time.beginUndo();
  try {
    await time.half(del);
    return [];
  } catch (error) {
    const line = `${headline}: ${toCniError(error).message}`;
    log(line);
    return [line];
  }
}

/** Runs a command that has no result. */
export async function runWithoutResult(
  plugin: Plugin,
  command: Exclude<Command, "ADD">,
  request: Request,
): Promise<void> {
  switch (command) {
    case "CHECK":
      return await plugin.check(request);
    case "DEL":
      return await plugin.del(request);
    case "GC":
      return await plugin.gc(request);
    case "STATUS":
      return await plugin.status(request);
  }
}
