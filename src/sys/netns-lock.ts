/**
 * The lock of this process's network namespace: flock(2) on a file that only root can open, with the namespace's number in
 * its name. The namespace's own file would not do, since any process could lock it and block all others. A process takes
 * the lock shared before it uses what exists, and exclusively before it removes something.
 */
import { status } from "./file.ts";
import { type FileLock, LockTimeoutError, lockFile } from "./flock.ts";
import { ensureOwnDirectory } from "./own-file.ts";

/** Is removed at the next boot, as namespaces are. */
const DIRECTORY = "/run/bridgehead";

/** The lock's path, cached: a process does not change its namespace for good. */
let known: string | undefined;

function place(): string {
  if (known !== undefined) return known;
  ensureOwnDirectory(DIRECTORY);
  known = `${DIRECTORY}/netns-${status("/proc/thread-self/ns/net").inode}.lock`;
  return known;
}

/**
 * Takes the shared lock. An exclusive holder keeps it only for a few messages to the kernel.
 * @throws LockTimeoutError; ForeignFileError or SystemError where the lock's file cannot exist.
 */
export function shareNetns(): FileLock {
  return lockFile(place(), undefined, { shared: true, refuseOpened: true });
}

/** Takes the exclusive lock. @throws as `shareNetns` */
export function ownNetns(): FileLock {
  return lockFile(place(), undefined, { refuseOpened: true });
}

/**
 * Takes the lock of changes to x_tables, which are read and then written in two steps. Any other use of the namespace goes
 * on meanwhile. @throws as `shareNetns`
 */
export const lockRules = (): FileLock => lockFile(`${place()}-xtables`, undefined, { refuseOpened: true });

/**
 * Takes the exclusive lock without waiting; undefined if another process holds the lock.
 * @throws ForeignFileError or SystemError where the lock's file cannot exist: then other processes may be at work.
 */
export function claimNetns(): FileLock | undefined {
  try {
    return lockFile(place(), 0, { refuseOpened: true });
  } catch (error) {
    if (error instanceof LockTimeoutError) return undefined;
    throw error;
  }
}
