/** Makes system calls by number, and turns failures into errors. */
import { architecture, syscall as engineCall, type Word } from "#engine";
import { EINTR, EINVAL, SystemError } from "./errno.ts";

/** Whether this is arm64, whose call numbers and some flags differ from x86-64. */
export const ARM = architecture === "arm64";

/** Makes a system call by its number. */
export type MakeCall = typeof engineCall;

/** What sees all that this process does. */
export interface Observer {
  /** Makes each call in place of the engine. */
  readonly call: MakeCall;
  /** Gets each step that no system call shows. */
  readonly tell: (step: string) => void;
}

let syscall = engineCall;

/** Tells the observer of a step; undefined without an observer. */
export let tell: Observer["tell"] | undefined;

/** Lets an observer see all later calls. It gets the function that makes them (src/trace). */
export function observe(observer: (make: MakeCall) => Observer): void {
  ({ call: syscall, tell } = observer(engineCall));
}

/**
 * Makes a system call, and repeats it after EINTR. `x64` and `arm64` are its numbers (asm/unistd_64.h,
 * asm-generic/unistd.h). `name` and `subject`, such as a path, are for the error.
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

/** Makes a system call once. Returns a failure as the negative error number. */
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

/** A path as a C string. A NUL inside is refused, since it would name another file. */
export function cString(path: string): Uint8Array {
  if (path.includes("\0")) throw new SystemError("path", EINVAL, path);
  return encoder.encode(`${path}\0`);
}
