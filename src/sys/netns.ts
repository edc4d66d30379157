/**
 * Network namespaces. setns(2) moves the calling thread, which is the process's first, so only synchronous code
 * may run inside: anything asynchronous could resume after the way back.
 */
import { pause } from "./clock.ts";
import { failedWith, messageOf, SystemError } from "./errno.ts";
import { type FileIdentity, sameFile, status, statusOf } from "./file.ts";
import * as libc from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
/** ioctl of uapi linux/nsfs.h: which kind of namespace a descriptor stands for. */
const NS_GET_NSTYPE = 0xb703;
/** ioctl of uapi linux/nsfs.h, from Linux 6.18 on: the namespace's number as 64 bits. */
const NS_GET_ID = 0x8008b70d;
const SOL_SOCKET = 1;
/** Socket option of uapi asm-generic/socket.h, from Linux 5.14 on: the same number for a network namespace. */
const SO_NETNS_COOKIE = 71;
const AF_INET = 2;
const SOCK_DGRAM = 2;
/** Leads to the namespace that the calling thread is in. */
export const OWN_NETNS = "/proc/thread-self/ns/net";

/** A path that leads to no network namespace: nothing there any more, a plain file, or another kind. */
export class NoNamespaceError extends Error {
  override readonly name = "NoNamespaceError";
  readonly path: string;

  constructor(path: string, state: string) {
    super(`${JSON.stringify(path)} is not a network namespace: ${state}`);
    this.path = path;
  }
}

/** An open network namespace. It stays alive as long as the descriptor is open. */
export class Netns implements Disposable {
  readonly path: string;
  readonly fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  /**
   * Opens the namespace behind a path (a bind mount as `ip netns` makes it, or /proc/PID/ns/net).
   * @throws NoNamespaceError when nothing is there or it is something else; SystemError for any other failure.
   */
  static open(path: string): Netns {
    let fd: number;
    try {
      // O_NONBLOCK: a path that names a fifo must not block the plugin.
      fd = libc.open(path, libc.O.RDONLY | libc.O.NONBLOCK);
    } catch (error) {
      if (failedWith(error, "ENOENT", "ENOTDIR", "ESRCH", "ENXIO"))
        throw new NoNamespaceError(path, "it does not exist");
      throw error;
    }
    try {
      if (libc.ioctl(fd, NS_GET_NSTYPE, null) === CLONE_NEWNET) return new Netns(path, fd);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      libc.close(fd);
      throw new NoNamespaceError(
        path,
        "the file there is not a namespace (the namespace was deleted, or never mounted)",
      );
    }
    libc.close(fd);
    throw new NoNamespaceError(path, "it is a namespace of another kind");
  }

  /** Device and inode, which name the namespace for its lifetime. */
  identity(): FileIdentity {
    return statusOf(this.fd);
  }

  /**
   * A number that no other network namespace of this boot has or had, unlike the inode's, which is given again.
   * Undefined if the kernel is too old, or does not let this process look.
   */
  cookie(): bigint | undefined {
    const number = new Uint8Array(8);
    try {
      libc.ioctl(this.fd, NS_GET_ID, number);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      try {
        this.run(() => withSocket((fd) => libc.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, number)));
      } catch (failure) {
        if (failure instanceof SystemError) return undefined;
        throw failure;
      }
    }
    return new BigUint64Array(number.buffer)[0];
  }

  /** Runs synchronous code inside the namespace. Ends the process if the way back fails: no other code may run there. */
  run<T>(inside: () => T): T {
    const home = libc.open(OWN_NETNS, libc.O.RDONLY);
    try {
      libc.setns(this.fd, CLONE_NEWNET);
      try {
        const result = inside();
        if (result instanceof Promise) throw new TypeError("asynchronous code cannot run inside a namespace");
        return result;
      } finally {
        returnTo(home);
      }
    } finally {
      libc.close(home);
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
  }
}

function withSocket(use: (fd: number) => void): void {
  const fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
  try {
    use(fd);
  } finally {
    libc.close(fd);
  }
}

/** Times that the way back is tried, a millisecond apart: the kernel may be short of memory for a moment. */
const RETURNS = 1000;

function returnTo(home: number): void {
  for (let attempt = 1; ; attempt++) {
    try {
      libc.setns(home, CLONE_NEWNET);
      return;
    } catch (error) {
      if (attempt === RETURNS) {
        process.stderr.write(`cannot return to the host's network namespace: ${messageOf(error)}\n`);
        process.abort();
      }
      pause(1);
    }
  }
}

/** Whether `path` leads to the namespace that this process is in. False if nothing is there. */
export function isOwnNetns(path: string): boolean {
  try {
    return sameFile(status(path), status(OWN_NETNS));
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}
