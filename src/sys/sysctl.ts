/** Kernel settings below /proc/sys. The files under net/ show the namespace of the calling thread. */

import { read, writeAll } from "./descriptor.ts";
import { unlessFailed } from "./errno.ts";
import { O, withFile } from "./file.ts";

const decoder = new TextDecoder();

/** More than any of the settings that are used here has. */
const MOST_BYTES = 256;

/** Path of a setting given in parts, so that an interface name with dots stays one part: ["net","ipv4","ip_forward"]. */
const pathOf = (parts: readonly string[]): string => `/proc/sys/${parts.join("/")}`;

/** A setting's name as sysctl(8) takes it: a dot inside a part is written as "/" there. */
export const sysctlName = (parts: readonly string[]): string =>
  parts.map((part) => part.replaceAll(".", "/")).join(".");

/** The value without its final newline. @throws SystemError, ENOENT where the kernel lacks the setting. */
export const readSysctl = (...parts: string[]): string =>
  withFile(pathOf(parts), O.RDONLY | O.NONBLOCK, 0, (fd) => {
    const buffer = new Uint8Array(MOST_BYTES);
    // The kernel gives a setting whole or refuses (proc_dostring and the like): there is no second read to make.
    return decoder.decode(buffer.slice(0, read(fd, buffer))).trimEnd();
  });

/** The value; undefined where it can't be read, as for an interface that is gone. */
export function sysctlIfThere(...parts: string[]): string | undefined {
  return unlessFailed(() => readSysctl(...parts));
}

/** Writes only if the value differs, so that a read-only /proc/sys that is already right does no harm. */
export function ensureSysctl(parts: readonly string[], value: string): void {
  if (readSysctl(...parts) === value) return;
  withFile(pathOf(parts), O.WRONLY | O.NONBLOCK, 0, (fd) => writeAll(fd, new TextEncoder().encode(value)));
}
