/**
 * Opens, identifies and enters network namespaces. setns(2) moves the calling thread, the main one, so only synchronous
 * code may run inside: asynchronous code could resume after the return.
 */
import { abort, pause } from "#engine";
import { close } from "./descriptor.ts";
import { failedWith, messageOf, unlessFailed } from "./errno.ts";
import { type FileIdentity, O, open, sameFile, status, statusOf } from "./file.ts";
import { getsockopt, socket } from "./socket.ts";
import { attempt, call } from "./syscall.ts";

const CLONE_NEWNET = 0x40000000;
/** Path of the calling thread's namespace. */
export const OWN_NETNS = "/proc/thread-self/ns/net";

/** A path does not lead to a network namespace: nothing is there, or a plain file, or a namespace of another kind. */
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
   * @throws NoNamespaceError when nothing or something else is there; SystemError for any other failure.
   */
  static open(path: string): Netns {
    let fd: number;
    try {
      // O_NONBLOCK: a path that names a fifo must not block the plugin.
      fd = open(path, O.NONBLOCK);
    } catch (error) {
      if (failedWith(error, "ENOENT", "ENOTDIR", "ESRCH", "ENXIO"))
        throw new NoNamespaceError(path, "it does not exist");
      throw error;
    }
    const kind = attempt("ioctl", 16, 29, fd, 0xb703 /* NS_GET_NSTYPE of linux/nsfs.h */);
    if (kind === CLONE_NEWNET) return new Netns(path, fd);
    close(fd);
    throw new NoNamespaceError(
      path,
      kind < 0
        ? "the file there is not a namespace (the namespace was deleted, or never mounted)"
        : "it is a namespace of another kind",
    );
  }

  /** Device and inode, which identify the namespace as long as it lives. */
  identity(): FileIdentity {
    return statusOf(this.fd);
  }

  /**
   * A number that is never reused within a boot, unlike the inode number. Undefined if the kernel is too old or refuses
   * access.
   */
  cookie(): bigint | undefined {
    const number = new Uint8Array(8);
    // NS_GET_ID of linux/nsfs.h, from Linux 6.18 on.
    if (attempt("ioctl", 16, 29, this.fd, 0x8008b70d, number) < 0) {
      if (unlessFailed(() => this.run(() => readCookie(number))) === undefined) return undefined;
    }
    return new BigUint64Array(number.buffer)[0];
  }

  /** Runs synchronous code inside the namespace. If the return fails, the process ends: no other code may run there. */
  run<T>(inside: () => T): T {
    const home = open(OWN_NETNS, O.RDONLY);
    try {
      call("setns", 308, 268, undefined, this.fd, CLONE_NEWNET);
      try {
        const result = inside();
        if (result instanceof Promise) throw new TypeError("asynchronous code cannot run inside a namespace");
        return result;
      } finally {
        returnTo(home);
      }
    } finally {
      close(home);
    }
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}

/** Reads the cookie as a socket option, from Linux 5.14 on. */
function readCookie(number: Uint8Array): true {
  const fd = socket(2 /* AF_INET */, 2 /* SOCK_DGRAM */, 0);
  try {
    getsockopt(fd, 1 /* SOL_SOCKET */, 71 /* SO_NETNS_COOKIE */, number);
    return true;
  } finally {
    close(fd);
  }
}

function returnTo(home: number): void {
  // Retries for a second, since the kernel may be short of memory for a moment.
  for (let attempt = 1; ; attempt++) {
    try {
      call("setns", 308, 268, undefined, home, CLONE_NEWNET);
      return;
    } catch (error) {
      if (attempt === 1000) abort(`cannot return to the host's network namespace: ${messageOf(error)}`);
      pause(1);
    }
  }
}

/** Whether `path` leads to this process's own namespace. False if nothing is there. */
export function isOwnNetns(path: string): boolean {
  return unlessFailed(() => sameFile(status(path), status(OWN_NETNS))) === true;
}
