/**
 * A lock on the thread's current network namespace, between the processes that work in it: flock(2) on the
 * namespace's own file, so that it needs no place on disk, means the same in every mount namespace, and goes with
 * the namespace. Shared: I am about to use what is there. Exclusive: I am about to take something away.
 */
import { now, pause } from "./clock.ts";
import { failedWith } from "./errno.ts";
import * as libc from "./libc.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const OWN = "/proc/thread-self/ns/net";

/** Whoever holds the lock exclusively needs a few messages to the kernel. */
const DEADLINE = 5000;

/** A held lock. Disposing of it, or the end of the process, gives it back. */
export class NetnsLock implements Disposable {
  private readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** @throws SystemError, EAGAIN when another process held it exclusively all the time. */
  static shared(): NetnsLock {
    let deadline: number | undefined;
    const fd = libc.open(OWN, libc.O.RDONLY);
    for (;;) {
      try {
        libc.flock(fd, LOCK_SH | LOCK_NB);
        return new NetnsLock(fd);
      } catch (error) {
        deadline ??= now() + DEADLINE;
        if (failedWith(error, "EAGAIN", "EINTR") && now() < deadline) {
          pause(1);
          continue;
        }
        libc.close(fd);
        throw error;
      }
    }
  }

  /** Without waiting; undefined when any other process holds it. */
  static tryExclusive(): NetnsLock | undefined {
    const fd = libc.open(OWN, libc.O.RDONLY);
    try {
      libc.flock(fd, LOCK_EX | LOCK_NB);
      return new NetnsLock(fd);
    } catch (error) {
      libc.close(fd);
      if (failedWith(error, "EAGAIN", "EINTR")) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
  }
}
