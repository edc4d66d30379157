/** The capabilities of this process (capabilities(7)). */
import { SystemError } from "./errno.ts";
import { readText } from "./file.ts";

/** Numbers of uapi linux/capability.h, of those that the plugins' work can take. */
export const capability = {
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
} as const;

/** Its name. */
export type Capability = keyof typeof capability;

/** Whether this process has it now; undefined where /proc does not tell. Reads a file: for errors and rare paths. */
export function hasCapability(name: Capability): boolean | undefined {
  try {
    // The line of proc_pid_status(5).
    const [, digits] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/thread-self/status")) ?? [];
    return digits === undefined
      ? undefined
      : ((BigInt(`0x${digits}`) >> BigInt(capability[name])) & 1n) === 1n;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
