/** Open descriptors of any kind: files, pipes, sockets. All errors are SystemError. */
import { SystemError } from "./errno.ts";
import { attempt, call } from "./syscall.ts";

/** Closes it. Not again when a signal comes in between: it is closed then, and the number may be another's. */
export function close(fd: number): void {
  const value = attempt("close", 3, 57, fd);
  if (value < 0) throw new SystemError("close", -value);
}

/** Bytes read; 0 at the end. */
export function read(fd: number, buffer: Uint8Array): number {
  return call("read", 0, 63, undefined, fd, buffer, buffer.length);
}

/** Bytes written, of which there may be fewer than given. */
export function write(fd: number, bytes: Uint8Array): number {
  return call("write", 1, 64, undefined, fd, bytes, bytes.length);
}

/** Writes all bytes, however many calls that takes. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; )
    offset += write(fd, offset === 0 ? bytes : bytes.subarray(offset));
}

/** What poll() waits for (poll.h). */
export const POLLIN = 1;
export const POLLOUT = 4;

/** Whether there is one of the events, or comes within so many milliseconds; also when the descriptor is broken. */
export function isReady(fd: number, events: number, milliseconds: number): boolean {
  const pollfd = new Int32Array(2);
  pollfd[0] = fd;
  pollfd[1] = events;
  return poll(pollfd, 1, milliseconds) > 0;
}

/**
 * ppoll(2) on `count` struct pollfd of two words each, the descriptor and the events, beside which the kernel puts what
 * has happened in the upper half. @returns how many have something; 0 when so many milliseconds passed
 */
export function poll(fds: Int32Array, count: number, milliseconds: number): number {
  // struct timespec, in which the kernel counts down, also when a signal comes in between.
  const left = new Int32Array(4);
  // At most 24 days; a fraction of a millisecond counts.
  const wait = milliseconds < 0x7fffffff ? milliseconds : 0x7fffffff;
  left[0] = wait / 1000;
  left[2] = (wait % 1000) * 1_000_000;
  return call("ppoll", 271, 73, undefined, fds, count, left);
}

/** Bytes from where on a copy costs more than room that stays empty, which is address space and no memory. */
const LARGE = 1024 * 1024;
/** Bytes of room that are taken at once. */
const MOST_ROOM = 512 * 1024 * 1024;

/** All bytes up to the end of a file, pipe or terminal, or the first `most` of them; `before` runs before each read. */
export function readToEnd(fd: number, most = Number.MAX_SAFE_INTEGER, before?: () => void): Uint8Array {
  let buffer = new Uint8Array(most < 4096 ? most : 4096);
  let length = 0;
  for (;;) {
    before?.();
    const count = read(fd, length === 0 ? buffer : buffer.subarray(length));
    length += count;
    if (count === 0 || length === most)
      return length < LARGE ? buffer.slice(0, length) : buffer.subarray(0, length);
    if (length === buffer.length) {
      const twice = buffer.length * 2;
      const larger = new Uint8Array(most < twice || (length >= LARGE && most <= MOST_ROOM) ? most : twice);
      larger.set(buffer);
      buffer = larger;
    }
  }
}
