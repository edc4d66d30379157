/** Arithmetic of address intervals of any size. */
import type { Family, IpAddress } from "./ip.ts";

/** Addresses of one family from `from` to `to`, both inclusive. */
export interface Interval {
  readonly family: Family;
  readonly from: bigint;
  readonly to: bigint;
}

/** The first interval that contains the address. */
export function intervalOf<I extends Interval>(
  intervals: readonly I[],
  { family, value }: IpAddress,
): I | undefined {
  for (const interval of intervals)
    if (interval.family === family && interval.from <= value && value <= interval.to) return interval;
  return undefined;
}

/** Whether no two intervals share an address. Sorts them, which is faster than comparing each pair. */
export function areDisjoint(intervals: readonly Interval[]): boolean {
  if (intervals.length < 2) return true;
  const ascending = [...intervals].sort((a, b) => a.family - b.family || compare(a.from, b.from));
  return ascending.every(({ family, from }, index) => {
    const before = ascending[index - 1];
    return before === undefined || before.family !== family || before.to < from;
  });
}

/** Number of addresses in disjoint intervals. */
export function sizeOf(intervals: readonly Interval[]): bigint {
  let size = 0n;
  for (const { from, to } of intervals) size += to - from + 1n;
  return size;
}

/** Sorts numbers in ascending order. */
export const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
