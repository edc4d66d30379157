/** Exclusive locks on files with flock(2), which other programs take as well, with a deadline. */
import { failedWith } from "./errno.ts";
import { sameFile, status, statusOf } from "./file.ts";
import * as libc from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/** Somebody else held the lock until the deadline. lock-holder.ts finds out who. */
export class LockTimeoutError extends Error {
  override readonly name = "LockTimeoutError";
  readonly path: string;

  constructor(path: string, milliseconds: number) {
    super(`${JSON.stringify(path)} is still locked after ${milliseconds} ms`);
    this.path = path;
  }
}

/** A held lock. Disposing of it, or the end of the process, gives it back. */
export class FileLock implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Takes the lock on the file at `path`, which is made when missing. Waits by trying again: a blocking flock(2)
   * can't be given a deadline without signals, and those belong to the runtime.
   * @throws LockTimeoutError; SystemError for everything else, ENOLCK and its like where the file system has no locks.
   */
  static acquire(path: string, milliseconds: number): FileLock {
    const deadline = performance.now() + milliseconds;
    for (let attempt = 0; ; attempt++) {
      const fd = tryLock(path);
      if (fd !== undefined) return new FileLock(fd);
      const left = deadline - performance.now();
      if (left <= 0) throw new LockTimeoutError(path, milliseconds);
      sleep(Math.min(left, pause(attempt)));
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

/** The descriptor of the locked file; undefined when another holds the lock, or the file was replaced meanwhile. */
function tryLock(path: string): number | undefined {
  const fd = libc.open(path, libc.O.RDWR | libc.O.CREAT | libc.O.NONBLOCK, 0o600);
  try {
    libc.flock(fd, LOCK_EX | LOCK_NB);
    // Who locks a file that was unlinked excludes nobody.
    if (sameFile(statusOf(fd), status(path))) return fd;
  } catch (error) {
    if (!failedWith(error, "EAGAIN", "EINTR", "ENOENT")) {
      libc.close(fd);
      throw error;
    }
  }
  libc.close(fd);
  return undefined;
}

/**
 * Milliseconds until the next attempt: short at first, for a lock is held for less than one; at random, so that
 * those who wait come one by one; never so long that the one who waited longest is always late.
 */
const pause = (attempt: number): number => (0.5 + Math.random()) * Math.min(4, 0.2 * 1.5 ** attempt);

const idle = new Int32Array(new SharedArrayBuffer(4));
const sleep = (milliseconds: number): void => void Atomics.wait(idle, 0, 0, milliseconds);
