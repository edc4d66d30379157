/** Reads and writes kernel settings below /proc/sys. Those under net/ are of the calling thread's namespace. */

import { read, writeAll } from "./descriptor.ts";
import { unlessFailed } from "./errno.ts";
import { O, withFile } from "./file.ts";

const decoder = new TextDecoder();

/** More than any setting used here has. */
const MOST_BYTES = 256;

/** Path of a setting in parts such as ["net","ipv4","ip_forward"]. An interface name with dots is one part. */
const pathOf = (parts: readonly string[]): string => `/proc/sys/${parts.join("/")}`;

/** A setting's name as sysctl(8) takes it: a dot inside a part is written as "/" there. */
export const sysctlName = (parts: readonly string[]): string =>
  parts.map((part) => part.replaceAll(".", "/")).join(".");

/** The value without its final newline. @throws SystemError, ENOENT where the kernel lacks the setting. */
export const readSysctl = (...parts: string[]): string =>
  withFile(pathOf(parts), O.RDONLY | O.NONBLOCK, 0, (fd) => {
    const buffer = new Uint8Array(MOST_BYTES);
    // One read is enough: the kernel returns a setting whole or fails (proc_dostring and the like).
    return decoder.decode(buffer.slice(0, read(fd, buffer))).trimEnd();
  });

/** The value; undefined if it can't be read, for example because its interface is gone. */
export function sysctlIfThere(...parts: string[]): string | undefined {
  return unlessFailed(() => readSysctl(...parts));
}

/** Writes only if the value differs, so that a read-only /proc/sys with the right value is no error. */
export function ensureSysctl(parts: readonly string[], value: string): void {
  if (readSysctl(...parts) === value) return;
  withFile(pathOf(parts), O.WRONLY | O.NONBLOCK, 0, (fd) => writeAll(fd, new TextEncoder().encode(value)));
}
