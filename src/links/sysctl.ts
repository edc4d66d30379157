/** Kernel settings that an attachment wants but can live without. */
import { failedWith, SystemError } from "../sys/errno.ts";
import { ensureSysctl } from "../sys/sysctl.ts";

/**
 * Sets a value where the kernel has the setting; says on stderr when it could not. For settings whose absence only
 * takes a convenience away, as where IPv6 is off or /proc/sys is read-only.
 */
export function trySysctl(parts: readonly string[], value: string, log: (line: string) => void): void {
  try {
    ensureSysctl(parts, value);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (!failedWith(error, "ENOENT"))
      log(`cannot set ${parts.join("/")} to ${value}: ${error.message}; going on without`);
  }
}
