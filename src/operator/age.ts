/** Moments and spans of time as texts. Times are nanoseconds since the epoch. */

const SECOND = 1_000_000_000n;

/** The units of a span, the largest first: a span is shown in the largest of which it has at least one. */
const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;

/** As in "9d", "3h", "12m", "40s". A moment in the future, as after the clock was set back, is "0s". */
export function formatAge(since: bigint, now: bigint): string {
  const seconds = now > since ? Number((now - since) / SECOND) : 0;
  for (const [unit, length] of UNITS) if (seconds >= length) return `${Math.floor(seconds / length)}${unit}`;
  return `${seconds}s`;
}

/** As in "2026-11-30T06:30:43Z". */
export const formatMoment = (time: bigint): string =>
  new Date(Number(time / 1_000_000n)).toISOString().replace(/\.\d+Z$/, "Z");
