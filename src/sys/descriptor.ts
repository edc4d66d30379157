/** Open descriptors of any kind: files, pipes, sockets. All errors are SystemError. */
import { SystemError } from "./errno.ts";
import { attempt, call } from "./syscall.ts";

/** Closes a descriptor. Never retried after EINTR: it is closed even then, and its number may be in use again. */
export function close(fd: number): void {
  const value = attempt("close", 3, 57, fd);
  if (value < 0) throw new SystemError("close", -value);
}

/** Returns the number of bytes read; 0 at the end. */
export function read(fd: number, buffer: Uint8Array): number {
  return call("read", 0, 63, undefined, fd, buffer, buffer.length);
}

/** Returns the number of bytes written, which may be less than all. */
export function write(fd: number, bytes: Uint8Array): number {
  return call("write", 1, 64, undefined, fd, bytes, bytes.length);
}

/** Writes all bytes, in as many calls as needed. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; )
    offset += write(fd, offset === 0 ? bytes : bytes.subarray(offset));
}

/** What poll() waits for (poll.h). */
export const POLLIN = 1;
export const POLLOUT = 4;

/** Whether one of the events occurs within so many milliseconds. An error of the descriptor counts as an event. */
export function isReady(fd: number, events: number, milliseconds: number): boolean {
  const pollfd = new Int32Array(2);
  pollfd[0] = fd;
  pollfd[1] = events;
  return poll(pollfd, 1, milliseconds) > 0;
}

/**
 * ppoll(2) on `count` struct pollfd of two words each: the descriptor, and the events. The kernel puts the events that
 * occurred into the upper half of the second word. @returns the number of ready descriptors; 0 after the timeout
 */
export function poll(fds: Int32Array, count: number, milliseconds: number): number {
  // struct timespec. The kernel writes the remaining time into it, so a retry after a signal waits only for the rest.
  const left = new Int32Array(4);
  // At most 24 days; a fraction of a millisecond counts.
  const wait = milliseconds < 0x7fffffff ? milliseconds : 0x7fffffff;
  left[0] = wait / 1000;
  left[2] = (wait % 1000) * 1_000_000;
  return call("ppoll", 271, 73, undefined, fds, count, left);
}

/** Bytes above which a copy costs more than unused room. Unused room takes address space, but no memory. */
const LARGE = 1024 * 1024;
/** Most bytes that are allocated at once. */
const MOST_ROOM = 512 * 1024 * 1024;

/** Reads a file, pipe or terminal to its end, or its first `most` bytes; `before` runs before each read. */
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
