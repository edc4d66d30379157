/** Delegation to an IPAM plugin (rules A42–A49). */
import type { Plugin } from "./plugin.ts";

/** What a finished child process left. */
export interface ChildOutcome {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * What delegation needs of the system, given by main. The protocol itself knows no files and no processes.
 */
export interface Delegation {
  /** Whether `path` is a file that can be executed. */
  isExecutable(path: string): boolean;
  /** The built-in plugin of that name if the executable at `path` is the very file that runs now. */
  builtIn(path: string, name: string): Promise<Plugin | undefined>;
  /** Runs an executable to its end. @throws SystemError if it can't be started. */
  run(path: string, environment: Readonly<Record<string, string | undefined>>, stdin: Uint8Array): ChildOutcome;
}
