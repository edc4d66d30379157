/**
 * Empties the names of files in the compiled file that the runtime reads at each start, though only long-lived programs need
 * them (docs/decisions/0020-start-up-files.md).
 */
import { emptied, type Patch } from "./patch.ts";

const FILES = [
  /** Limits of the control group: for the size of a heap that a plugin never reaches. */
  "/proc/self/cgroup",
  /** Memory of the process: read repeatedly, to collect a heap that fills the machine. */
  "/proc/self/statm",
  /** Memory nodes of the machine: for threads that a plugin does not have. */
  "/sys/devices/system/node/node%u",
] as const;

/** Empties the names. @throws Error when one is not found exactly once */
export const startUpPatches = (program: Buffer): Patch[] =>
  FILES.map((name) => emptied(program, name, `take out ${name}`, "0020-start-up-files.md"));
