/** Kernel settings below /proc/sys. The files under net/ show the namespace of the calling thread. */
import { readText, withFile, writeAll } from "./file.ts";
import { O } from "./libc.ts";

/** Path of a setting given in parts, so that an interface name with dots stays one part: ["net","ipv4","ip_forward"]. */
const pathOf = (parts: readonly string[]): string => `/proc/sys/${parts.join("/")}`;

/** The value without its final newline. @throws SystemError, ENOENT where the kernel lacks the setting. */
export const readSysctl = (...parts: string[]): string => readText(pathOf(parts)).trimEnd();

/** Writes only if the value differs, so that a read-only /proc/sys that is already right does no harm. */
export function ensureSysctl(parts: readonly string[], value: string): void {
  if (readSysctl(...parts) === value) return;
  withFile(pathOf(parts), O.WRONLY, 0, (fd) => writeAll(fd, new TextEncoder().encode(value)));
}
