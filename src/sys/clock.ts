/** The time of day, for people and for the age of files. */
import { call } from "./syscall.ts";

/** Nanoseconds since the epoch: CLOCK_REALTIME, by which file systems stamp files. */
export function timeOfDay(): bigint {
  const time = new BigInt64Array(2);
  call("clock_gettime", 228, 113, undefined, 0, time);
  return (time[0] ?? 0n) * 1_000_000_000n + (time[1] ?? 0n);
}
