/** The open descriptors of this process, for tests that must not leave one behind. */
import { readdirSync, readlinkSync } from "node:fs";

/**
 * What each descriptor refers to, as "number target", without the one that reads the list. The runtime of the tests may
 * close some of its own at any time, so a test looks only for entries that are new: it must not compare their number.
 */
export function openDescriptors(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      return [];
    }
  });
}

/** The descriptors that are open now and were not in the list `before`. */
export function descriptorsSince(before: readonly string[]): string[] {
  return openDescriptors().filter((descriptor) => !before.includes(descriptor));
}
