/**
 * Files that the runtime looks into whenever it starts, for what only long-lived programs need to know. Their names are
 * taken out of the compiled file, so that there is nothing to read (docs/decisions/0020-start-up-files.md).
 */
import { emptied, type Patch } from "./patch.ts";

const FILES = [
  /** How much memory and processor time a control group leaves: for the size of a heap that a plugin never reaches. */
  "/proc/self/cgroup",
  /** How much memory the process has by now: asked again and again, so that a heap that fills the machine is collected. */
  "/proc/self/statm",
  /** Which nodes the machine's memory has: for threads that a plugin does not have. */
  "/sys/devices/system/node/node%u",
] as const;

/** Takes the names out. @throws Error when one is not there, or not once. */
export const startUpPatches = (program: Buffer): Patch[] =>
  FILES.map((name) => emptied(program, name, `take out ${name}`, "0020-start-up-files.md"));
