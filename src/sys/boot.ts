/** The id of the current boot. */
import { sysctlIfThere } from "./sysctl.ts";

/** Cached: it cannot change while this process runs. */
let known: string | undefined;

/** The first 16 hex digits of the random id that the kernel sets at each boot; undefined if it can't be read. */
export function bootId(): string | undefined {
  known ??= sysctlIfThere("kernel", "random", "boot_id")?.replaceAll("-", "").slice(0, 16);
  return known?.length === 16 ? known : undefined;
}
