/** Locks on files with flock(2), which other programs take as well, with a deadline. */
import { interruptBy, now } from "#engine";
import { timeLeft } from "./deadline.ts";
import { failedWith, SystemError } from "./errno.ts";
import { O, sameFile, status } from "./file.ts";
import {
  ForeignFileError,
  type OpenFile,
  OWNER_ONLY,
  openRegular,
  strangeness,
  strangeOwner,
  trySetMode,
} from "./own-file.ts";
import { attempt, call } from "./syscall.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Permission bits that a lock's file must not have: any process that can open a file can lock it. */
const OTHERS = 0o077;

/** Another process held the lock until the deadline. lock-holder.ts finds out which. */
export class LockTimeoutError extends Error {
  override readonly name = "LockTimeoutError";
  readonly path: string;

  /** How long this process waited. */
  readonly milliseconds: number;

  constructor(path: string, milliseconds: number) {
    super(`${JSON.stringify(path)} is still locked after ${Math.round(milliseconds)} ms`);
    this.path = path;
    this.milliseconds = milliseconds;
  }
}

/** The kind of lock to take. */
export interface LockOptions {
  /** Other processes may share the lock, but none may hold it exclusively. */
  readonly shared?: boolean;
  /**
   * Refuses a file that other users could have opened, for locks that only this program takes. Otherwise such a file only
   * loses those permissions: replacing it would separate us from the programs that hold its lock.
   */
  readonly refuseOpened?: boolean;
}

/** A held lock. It is released when it is disposed of or when the process ends. */
export type FileLock = Disposable;

/**
 * Takes the lock on the file at `path`, which is created if missing. Waits as long as the call may, at most `most`
 * milliseconds. It waits in the kernel's queue, since a process that only retries loses to those that wait there. The
 * clock is read only if another process holds the lock.
 * @throws LockTimeoutError; ForeignFileError when the file cannot be ours; SystemError for everything else, such as ENOLCK
 * where the file system has no locks.
 */
export function lockFile(path: string, most?: number, options: LockOptions = {}): FileLock {
  const operation = options.shared === true ? LOCK_SH : LOCK_EX;
  return lock(path, operation | LOCK_NB, options) ?? waitFor(path, operation, most, options);
}

function waitFor(path: string, operation: number, most: number | undefined, options: LockOptions): FileLock {
  const milliseconds = timeLeft(most);
  if (milliseconds <= 0) throw new LockTimeoutError(path, milliseconds);
  const deadline = now() + milliseconds;
  const stopAlarm = startAlarm(milliseconds);
  try {
    for (;;) {
      const file = lock(path, operation, options);
      if (file !== undefined) return file;
      if (now() >= deadline) throw new LockTimeoutError(path, milliseconds);
    }
  } finally {
    stopAlarm();
  }
}

/**
 * Interrupts a waiting system call after so many milliseconds, and again every 50, since the first signal may arrive just
 * before the call. @returns a function that stops the alarm
 */
export function startAlarm(milliseconds: number): () => void {
  const SIGALRM = 14;
  const setTimer = (timer: BigInt64Array) =>
    call("setitimer", 38, 103, undefined, 0 /* ITIMER_REAL */, timer, null);
  const noMore = interruptBy(SIGALRM);
  // The caller may have blocked the signal, which this program inherits. Then nothing would end the wait.
  const mask = BigUint64Array.of(1n << BigInt(SIGALRM - 1));
  call("rt_sigprocmask", 14, 135, undefined, 1 /* SIG_UNBLOCK */, mask, null, mask.byteLength);
  const first = BigInt(Math.max(1, Math.ceil(milliseconds * 1000)));
  setTimer(BigInt64Array.of(0n, 50_000n, first / 1_000_000n, first % 1_000_000n));
  return () => {
    setTimer(new BigInt64Array(4));
    noMore();
  };
}

/** The locked file; undefined if another process holds the lock, or if the file was replaced meanwhile. */
function lock(path: string, operation: number, options: LockOptions): OpenFile | undefined {
  const file = openRegular(path, O.RDWR | O.CREAT, OWNER_ONLY);
  try {
    closeToOthers(file, options);
    // Not retried after a signal: the signal ends the wait.
    const error = attempt("flock", 73, 32, file.fd, operation);
    if (error < 0) throw new SystemError("flock", -error);
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

/** Ensures that no other user can open the file. @throws ForeignFileError */
function closeToOthers({ path, fd, status }: OpenFile, { refuseOpened = false }: LockOptions): void {
  const { mode } = status;
  const isOpen = (mode & OTHERS) !== 0;
  // A second name of a file that is closed to others is harmless: nothing is written into a lock.
  const state = isOpen ? strangeness(path, status) : strangeOwner(path, status);
  if (state !== undefined) throw new ForeignFileError(path, state);
  if (isOpen && refuseOpened) {
    const octal = (mode & 0o777).toString(8).padStart(4, "0");
    throw new ForeignFileError(path, `has mode ${octal}, so that other users may hold it: remove it`);
  }
  if ((mode & (OTHERS | OWNER_ONLY)) !== OWNER_ONLY) trySetMode(fd, OWNER_ONLY);
}
