/** The pid namespace of this process: whose processes it sees. */
import { SystemError } from "../../sys/errno.ts";
import { readLink } from "../../sys/file.ts";

/** Its inode number; undefined if that can't be read. */
export function ownPidNamespace(): string | undefined {
  try {
    return /^pid:\[([0-9]+)\]$/.exec(readLink("/proc/thread-self/ns/pid"))?.[1];
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
