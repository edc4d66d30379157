/** Exclusive locks on files with flock(2), which other programs take as well, with a deadline. */
import { now } from "./clock.ts";
import { failedWith } from "./errno.ts";
import { grantOwner, sameFile, status, statusOf } from "./file.ts";
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
  private readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Takes the lock on the file at `path`, which is made when missing. Waits in the kernel's queue, with other programs
   * in the order of arrival: who only tried again and again would come last as long as others wait there.
   * @throws LockTimeoutError; SystemError for everything else, ENOLCK and its like where the file system has no locks.
   */
  static acquire(path: string, milliseconds: number): FileLock {
    const fd = lock(path, LOCK_EX | LOCK_NB);
    if (fd !== undefined) return new FileLock(fd);
    if (milliseconds <= 0) throw new LockTimeoutError(path, milliseconds);
    const deadline = now() + milliseconds;
    libc.startAlarm(milliseconds);
    try {
      for (;;) {
        const fd = lock(path, LOCK_EX);
        if (fd !== undefined) return new FileLock(fd);
        if (now() >= deadline) throw new LockTimeoutError(path, milliseconds);
      }
    } finally {
      libc.stopAlarm();
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
  }
}

/** The descriptor of the locked file; undefined if another holds the lock, or if the file was replaced meanwhile. */
function lock(path: string, operation: number): number | undefined {
  // O_NOFOLLOW: a link could make a file anywhere. O_NONBLOCK: a fifo must not stop the plugin.
  const fd = libc.open(path, libc.O.RDWR | libc.O.CREAT | libc.O.NOFOLLOW | libc.O.NONBLOCK, 0o600);
  try {
    libc.flock(fd, operation);
    // Who locks a file that was unlinked excludes nobody.
    const found = status(path, { followLinks: false });
    if (sameFile(statusOf(fd), found)) {
      grantOwner(path, found, 0o600);
      return fd;
    }
  } catch (error) {
    if (!failedWith(error, "EAGAIN", "EINTR", "ENOENT")) {
      libc.close(fd);
      throw error;
    }
  }
  libc.close(fd);
  return undefined;
}
