/** The pid namespace of this process: whose processes it sees. */
import { SystemError } from "../sys/errno.ts";
import { readLink } from "../sys/file.ts";

/** Its inode number; undefined if that can't be read. */
export function ownPidNamespace(): string | undefined {
  try {
    const link = readLink("/proc/thread-self/ns/pid");
    return link.startsWith("pid:[") && link.endsWith("]") ? link.slice("pid:[".length, -1) : undefined;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
