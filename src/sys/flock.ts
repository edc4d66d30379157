/** Locks on files with flock(2), which other programs take as well, with a deadline. */
import { now } from "./clock.ts";
import { timeLeft } from "./deadline.ts";
import { failedWith } from "./errno.ts";
import { sameFile, status } from "./file.ts";
import * as libc from "./libc.ts";
import {
  ForeignFileError,
  type OpenFile,
  OWNER_ONLY,
  openRegular,
  strangeness,
  strangeOwner,
  trySetMode,
} from "./own-file.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Any process that can open a file can lock it: the file of a lock is for its owner alone, and for none of these. */
const OTHERS = 0o077;

/** Another process held the lock until the deadline. lock-holder.ts finds out which. */
export class LockTimeoutError extends Error {
  override readonly name = "LockTimeoutError";
  readonly path: string;

  /** How long it was waited for. */
  readonly milliseconds: number;

  constructor(path: string, milliseconds: number) {
    super(`${JSON.stringify(path)} is still locked after ${Math.round(milliseconds)} ms`);
    this.path = path;
    this.milliseconds = milliseconds;
  }
}

/** What kind of lock is wanted of a file. */
export interface LockOptions {
  /** Beside others that share it, and not beside one that does not. */
  readonly shared?: boolean;
  /**
   * Only this program takes it, so a file that others could have opened is refused. Without, such a file is closed to
   * them from now on: replacing it would part us from the programs that hold it.
   */
  readonly refuseOpened?: boolean;
}

/** A held lock. Disposing of it, or the end of the process, gives it back. */
export class FileLock implements Disposable {
  private readonly file: OpenFile;

  private constructor(file: OpenFile) {
    this.file = file;
  }

  /**
   * Takes the lock on the file at `path`, which is made when missing. Waits for what is left of the call, and at most
   * `most` milliseconds, in the kernel's queue, with other programs in the order of arrival: one that only tried again and
   * again would come last as long as others wait there. The clock is read only if the lock is held.
   * @throws LockTimeoutError; ForeignFileError when what is there cannot be ours; SystemError for everything else,
   * ENOLCK and its like where the file system has no locks.
   */
  static acquire(path: string, most: number = Number.POSITIVE_INFINITY, options: LockOptions = {}): FileLock {
    const operation = options.shared === true ? LOCK_SH : LOCK_EX;
    const file = lock(path, operation | LOCK_NB, options);
    if (file !== undefined) return new FileLock(file);
    const milliseconds = timeLeft(most);
    if (milliseconds <= 0) throw new LockTimeoutError(path, milliseconds);
    const deadline = now() + milliseconds;
    libc.startAlarm(milliseconds);
    try {
      for (;;) {
        const file = lock(path, operation, options);
        if (file !== undefined) return new FileLock(file);
        if (now() >= deadline) throw new LockTimeoutError(path, milliseconds);
      }
    } finally {
      libc.stopAlarm();
    }
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
  }
}

/** The locked file; undefined if another holds the lock, or if the file was replaced meanwhile. */
function lock(path: string, operation: number, options: LockOptions): OpenFile | undefined {
  const file = openRegular(path, libc.O.RDWR | libc.O.CREAT, OWNER_ONLY);
  try {
    closeToOthers(file, options);
    libc.flock(file.fd, operation);
    // A lock on a file that was unlinked keeps no other process out.
    if (sameFile(file.status, status(path, { followLinks: false }))) return file;
  } catch (error) {
    if (!failedWith(error, "EAGAIN", "EINTR", "ENOENT")) {
      file[Symbol.dispose]();
      throw error;
    }
  }
  file[Symbol.dispose]();
  return undefined;
}

/** Sees to it that no other user can open the file. @throws ForeignFileError */
function closeToOthers({ path, fd, status }: OpenFile, { refuseOpened = false }: LockOptions): void {
  const { mode } = status;
  const isOpen = (mode & OTHERS) !== 0;
  // What has a second name and is closed to others does no harm as a lock: nothing is written into it.
  const state = isOpen ? strangeness(path, status) : strangeOwner(path, status);
  if (state !== undefined) throw new ForeignFileError(path, state);
  if (isOpen && refuseOpened) {
    const octal = (mode & 0o777).toString(8).padStart(4, "0");
    throw new ForeignFileError(path, `has mode ${octal}, so that other users may hold it: remove it`);
  }
  if ((mode & (OTHERS | OWNER_ONLY)) !== OWNER_ONLY) trySetMode(fd, OWNER_ONLY);
}
