/**
 * Which address of a set comes next (rules H48, L11): pure arithmetic over intervals, so that a /64 costs what a
 * /29 does. What is taken is not known here.
 */
import type { Interval } from "../../leases/lease-index.ts";
import type { IpAddress } from "../../net/ip.ts";
import { lastAddress } from "../../net/prefix.ts";
import { type RangeSet, rangeOf } from "./range.ts";

/**
 * All addresses that the set may hand out, in the order in which they are to be tried: behind the last reserved one
 * to the end of its range, through the other ranges, and from the start of its range up to and with itself. Without
 * a hint inside the set, from the first start.
 */
export function searchOrder(set: RangeSet, last: IpAddress | undefined): Interval[] {
  const hinted = last === undefined ? undefined : rangeOf(set, last);
  const reserved = neverHandedOut(set);
  const later: Interval[] = [];
  const earlier: Interval[] = [];
  let pieces = hinted === undefined ? later : earlier;
  for (const range of set.ranges) {
    let from = range.start.value;
    if (range === hinted && last !== undefined) {
      putWithout(reserved, earlier, set.family, from, last.value);
      pieces = later;
      from = last.value + 1n;
    }
    putWithout(reserved, pieces, set.family, from, range.end.value);
  }
  for (const piece of earlier) later.push(piece);
  return later;
}

/** Number of addresses in pieces of which no two share one. */
export function sizeOf(pieces: readonly Interval[]): bigint {
  let size = 0n;
  for (const { from, to } of pieces) size += to - from + 1n;
  return size;
}

/** Whether one of the pieces has the address. */
export const isWithin = (pieces: readonly Interval[], { family, value }: IpAddress): boolean =>
  pieces.some((piece) => piece.family === family && piece.from <= value && value <= piece.to);

/** Gateways, network addresses and IPv4 broadcast addresses of the set's ranges, ascending. */
function neverHandedOut(set: RangeSet): bigint[] {
  const values: bigint[] = [];
  for (const { gateway, subnet } of set.ranges) {
    if (gateway.family === set.family) values.push(gateway.value);
    values.push(subnet.address.value);
    if (set.family === 4) values.push(lastAddress(subnet).value);
  }
  return values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Adds the addresses from `from` to `to` without the reserved ones. */
function putWithout(
  reserved: readonly bigint[],
  pieces: Interval[],
  family: Interval["family"],
  from: bigint,
  to: bigint,
): void {
  let next = from;
  for (let index = firstFrom(reserved, from); index < reserved.length; index++) {
    const hole = reserved[index];
    if (hole === undefined || hole > to) break;
    if (hole > next) pieces.push({ family, from: next, to: hole - 1n });
    next = hole < next ? next : hole + 1n;
  }
  if (next <= to) pieces.push({ family, from: next, to });
}

/** Index of the first of ascending values that is not below `from`; their number if all are. */
function firstFrom(values: readonly bigint[], from: bigint): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = values[middle];
    if (value !== undefined && value < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
