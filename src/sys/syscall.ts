/** System calls by their number, with their failures as errors. Each is made in the room that it belongs to. */
import { architecture, syscall, type Word } from "#engine";
import { EINTR, EINVAL, SystemError } from "./errno.ts";

/** Whether this is arm64. Numbers and some flags differ from x86-64. */
export const ARM = architecture === "arm64";

/**
 * Makes a system call, again when a signal came in between. `name` is the kernel's, x64 and arm64 are its numbers on
 * either (asm/unistd_64.h, asm-generic/unistd.h), `subject` is what it is made on, for the error.
 * @throws SystemError
 */
export function call(
  name: string,
  x64: number,
  arm64: number,
  subject: string | undefined,
  a?: Word,
  b?: Word,
  c?: Word,
  d?: Word,
  e?: Word,
  f?: Word,
): number {
  for (;;) {
    const value = syscall(ARM ? arm64 : x64, a, b, c, d, e, f);
    if (value >= 0) return value;
    if (value !== -EINTR) throw new SystemError(name, -value, subject);
  }
}

/** The same once, for callers to whom a failure is an answer: it comes back as the negative error number. */
export function attempt(
  _name: string,
  x64: number,
  arm64: number,
  a?: Word,
  b?: Word,
  c?: Word,
  d?: Word,
  e?: Word,
): number {
  return syscall(ARM ? arm64 : x64, a, b, c, d, e);
}

const encoder = new TextEncoder();

/** A path as the kernel wants it. A NUL inside would silently name another file. */
export function cString(path: string): Uint8Array {
  if (path.includes("\0")) throw new SystemError("path", EINVAL, path);
  return encoder.encode(`${path}\0`);
}
