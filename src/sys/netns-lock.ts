/**
 * The lock of this process's network namespace: flock(2) on a file that only root can open, with the namespace's number in
 * its name. The namespace's own file would not do, since any process could lock it and block all others. A process takes
 * the lock shared before it uses what exists, and exclusively before it removes something.
 */
import { timeLeft } from "./deadline.ts";
import { unlessFailed } from "./errno.ts";
import { exists, status, unlink } from "./file.ts";
import { type FileLock, LockTimeoutError, lockFile } from "./flock.ts";
import { ensureOwnDirectory, isFileFailure } from "./own-file.ts";

/** Is removed at the next boot, as namespaces are. */
const DIRECTORY = "/run/bridgehead";

/** The lock's path, cached: a process does not change its namespace for good. */
let known: string | undefined;
let isReady = false;

function path(): string {
  known ??= `${DIRECTORY}/netns-${status("/proc/thread-self/ns/net").inode}.lock`;
  return known;
}

function place(): string {
  if (!isReady) ensureOwnDirectory(DIRECTORY);
  isReady = true;
  return path();
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

/**
 * The turn of a process that plans a change, and must plan again whenever another process was faster: one that plans long
 * would never get done beside many that plan shortly. Once a process needs a turn, all take turns, in the order of the
 * lock's queue, until none waits. The lock's file exists only then: otherwise a call sees by one look that it need not wait.
 */
export class Turn implements Disposable {
  private held: FileLock | undefined;

  /**
   * Takes the turn if it is needed or if others take turns. Goes on without it where the lock's file cannot exist, and after
   * half of the call's time, as when a process hangs in its turn.
   */
  take(isNeeded: boolean): void {
    if (this.held !== undefined) return;
    try {
      if (isNeeded || exists(`${path()}-turn`))
        this.held = lockFile(`${place()}-turn`, timeLeft() / 2, { refuseOpened: true });
    } catch (error) {
      if (!(error instanceof LockTimeoutError || isFileFailure(error))) throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.held === undefined) return;
    unlessFailed(() => unlink(`${path()}-turn`));
    this.held[Symbol.dispose]();
    this.held = undefined;
  }
}
