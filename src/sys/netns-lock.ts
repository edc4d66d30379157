/**
 * A lock on the network namespace of this process, between the processes that work in it: flock(2) on a file that only
 * root can open, with the namespace's number in its name. Any process could lock the namespace's own file and so stop
 * all that wait for it. Shared: I am about to use what is there. Exclusive: I am about to take something away.
 */
import { status } from "./file.ts";
import { type FileLock, LockTimeoutError, lockFile } from "./flock.ts";
import { ensureOwnDirectory } from "./own-file.ts";

/** Goes with the machine's next start, as namespaces do. */
const DIRECTORY = "/run/bridgehead";

/** The lock's path, which stays the same: a process does not change its namespace for good. */
let known: string | undefined;

function place(): string {
  if (known !== undefined) return known;
  ensureOwnDirectory(DIRECTORY);
  known = `${DIRECTORY}/netns-${status("/proc/thread-self/ns/net").inode}.lock`;
  return known;
}

/**
 * The shared lock. Whoever holds it exclusively needs a few messages to the kernel.
 * @throws LockTimeoutError; ForeignFileError or SystemError where there cannot be such a lock.
 */
export function shareNetns(): FileLock {
  return lockFile(place(), undefined, { shared: true, refuseOpened: true });
}

/**
 * The exclusive lock, without waiting; undefined when any other process holds it.
 * @throws ForeignFileError or SystemError where there cannot be such a lock: then others may be at work unseen.
 */
export function claimNetns(): FileLock | undefined {
  try {
    return lockFile(place(), 0, { refuseOpened: true });
  } catch (error) {
    if (error instanceof LockTimeoutError) return undefined;
    throw error;
  }
}
