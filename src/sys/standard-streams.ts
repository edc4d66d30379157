/**
 * Standard input, output and error of a call. Whoever is at the other end may never close, never read: none of the three
 * is waited for beyond the call's deadline.
 */
import { timeLeft } from "./deadline.ts";
import { SystemError } from "./errno.ts";
import { readToEnd } from "./file.ts";
import * as libc from "./libc.ts";

const POLLIN = 1;
const POLLOUT = 4;
/** A pipe that can be written to takes so much without waiting (PIPE_BUF). */
const PIECE = 4096;
const EBADF = 9;
/** Milliseconds that a line of the log may wait: it is never worth the call. */
const LINE = 1000;

/** The other end was waited for until the deadline. */
export class StandardStreamError extends Error {
  override readonly name = "StandardStreamError";
  readonly isTemporary = true;
}

/** All of standard input, or its first `most` bytes. @throws SystemError, StandardStreamError */
export const readInput = (most: number): Uint8Array =>
  readToEnd(0, most, () => {
    if (isReady(0, POLLIN)) return;
    throw new StandardStreamError(
      "it had not ended at the call's deadline; the caller has to close it after the configuration",
    );
  });

/** Writes to standard output. @throws SystemError, StandardStreamError: not all of it was written */
export function writeOutput(text: string): void {
  // Whoever closed it gets no result: this must not look like success.
  if (libc.wasClosed(1)) throw new SystemError("write", EBADF, "standard output");
  if (write(1, text)) return;
  throw new StandardStreamError("standard output is full, and nothing has read it until the call's deadline");
}

/** Writes to standard error. What it does not take is lost: a line of the log fails nothing. */
export function writeError(text: string): void {
  try {
    write(2, text, LINE);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

/** Descriptors that were waited for in vain: that happens once. */
const stuck = new Set<number>();
const encoder = new TextEncoder();

/** Whether all was written. */
function write(fd: number, text: string, most?: number): boolean {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; ) {
    if (!isReady(fd, POLLOUT, most)) return false;
    at += libc.write(fd, bytes.subarray(at, at + PIECE));
  }
  return true;
}

/** Whether something can be read or written, or comes to an error, in time. The clock is read only if not so at once. */
function isReady(fd: number, events: number, most?: number): boolean {
  if (polls(fd, events, 0)) return true;
  if (!stuck.has(fd) && polls(fd, events, Math.ceil(timeLeft(most)))) return true;
  stuck.add(fd);
  return false;
}

/** struct pollfd: i32 fd, i16 events, i16 revents. */
const polls = (fd: number, events: number, milliseconds: number): boolean =>
  libc.poll(new Uint8Array(Int32Array.of(fd, events).buffer), 1, milliseconds) > 0;
