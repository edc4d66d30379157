/**
 * Standard input, output and error of a call. The other end may never close or never read, so no stream is waited for
 * beyond the call's deadline.
 */
import { timeLeft } from "./deadline.ts";
import { isReady, POLLIN, POLLOUT, readToEnd, write } from "./descriptor.ts";
import { EBADF, SystemError } from "./errno.ts";
import { attempt } from "./syscall.ts";

/** The other end was not ready before the deadline. */
export class StandardStreamError extends Error {
  override readonly name = "StandardStreamError";
  readonly isTemporary = true;
}

/** All of standard input, or its first `most` bytes. @throws SystemError, StandardStreamError */
export function readInput(most: number): Uint8Array {
  return readToEnd(0, most, () => {
    if (isReadyInTime(0, POLLIN)) return;
    throw new StandardStreamError(
      "it had not ended at the call's deadline; the caller has to close it after the configuration",
    );
  });
}

/** Writes to standard output. @throws SystemError, StandardStreamError when not all of it was written */
export function writeOutput(text: string): void {
  // FD_CLOEXEC means that the caller closed standard output: an inherited descriptor does not have it, and the runtime
  // opens /dev/null with it in place of a missing one. A result that no caller receives must not look like success.
  if (attempt("fcntl", 72, 25, 1, 1 /* F_GETFD */) === 1)
    throw new SystemError("write", EBADF, "standard output");
  if (writeInTime(1, text)) return;
  throw new StandardStreamError("standard output is full, and nothing has read it until the call's deadline");
}

/** Writes to standard error. Text that is not accepted within a second is dropped: logging never fails a call. */
export function writeError(text: string): void {
  try {
    writeInTime(2, text, 1000);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

/** Whether all was written. */
function writeInTime(fd: number, text: string, most?: number): boolean {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; ) {
    if (!isReadyInTime(fd, POLLOUT, most)) return false;
    // A writable pipe takes this many bytes without blocking (PIPE_BUF).
    at += write(fd, at === 0 && bytes.length <= 4096 ? bytes : bytes.subarray(at, at + 4096));
  }
  return true;
}

/** Bits of descriptors that timed out once. They are not waited for again. */
let stuck = 0;

/** Whether an event occurs in time; an error counts as one. The clock is read only if the descriptor is not ready yet. */
function isReadyInTime(fd: number, events: number, most?: number): boolean {
  if (isReady(fd, events, 0)) return true;
  if ((stuck & (1 << fd)) === 0 && isReady(fd, events, timeLeft(most))) return true;
  stuck |= 1 << fd;
  return false;
}
