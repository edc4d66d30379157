/** Which boot of the machine this is. */
import { SystemError } from "./errno.ts";
import { readText } from "./file.ts";

/** Lasts as long as any process does. */
let ownBoot: string | undefined;

/** The first 16 hex digits of the id that the kernel draws at each boot; undefined if it can't be read. */
export function bootId(): string | undefined {
  ownBoot ??= read();
  return ownBoot?.length === 16 ? ownBoot : undefined;
}

function read(): string | undefined {
  try {
    return readText("/proc/sys/kernel/random/boot_id").replaceAll("-", "").slice(0, 16);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
