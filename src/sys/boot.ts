/** Which boot of the machine this is. */
import { sysctlIfThere } from "./sysctl.ts";

/** Lasts as long as any process does. */
let known: string | undefined;

/** The first 16 hex digits of the id that the kernel draws at each boot; undefined if it can't be read. */
export function bootId(): string | undefined {
  known ??= sysctlIfThere("kernel", "random", "boot_id")?.replaceAll("-", "").slice(0, 16);
  return known?.length === 16 ? known : undefined;
}
