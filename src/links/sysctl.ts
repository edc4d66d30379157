/** Sets optional kernel settings, whose absence is only logged. */
import { failedWith, SystemError } from "../sys/errno.ts";
import { ensureSysctl } from "../sys/sysctl.ts";

/**
 * Sets a value if the kernel has the setting. Logs an error instead of throwing it, as when /proc/sys is read-only: an
 * attachment works without the settings for which this function is used.
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
