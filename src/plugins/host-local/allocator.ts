/**
 * Which address of a set comes next (rules H48, L11): pure arithmetic over intervals, so that a /64 costs what a
 * /29 does. What is taken is not known here.
 */
import type { Interval } from "../../leases/address-map.ts";
import type { Family, IpAddress } from "../../net/ip.ts";
import { lastAddress } from "../../net/prefix.ts";
import { type RangeSet, rangeOf } from "./range.ts";

/**
 * All addresses that the set may hand out, in the order in which they are to be tried: behind the last reserved one
 * to the end of its range, through the other ranges, and from the start of its range up to and with itself. Without
 * a hint inside the set, from the first start.
 */
export function searchOrder(set: RangeSet, last: IpAddress | undefined): Interval[] {
  const whole = set.ranges.map((range) => interval(set.family, range.start.value, range.end.value));
  const hinted = last === undefined ? undefined : rangeOf(set, last);
  const index = hinted === undefined ? -1 : set.ranges.indexOf(hinted);
  const range = whole[index];
  const order =
    range === undefined || last === undefined
      ? whole
      : [
          { ...range, from: last.value + 1n },
          ...whole.slice(index + 1),
          ...whole.slice(0, index),
          { ...range, to: last.value },
        ];
  const holes = neverHandedOut(set);
  const pieces: Interval[] = [];
  for (const piece of order) putWithout(pieces, piece, holes);
  return pieces;
}

/** Number of addresses in a set that may be handed out. */
export const capacity = (set: RangeSet): bigint => sizeOf(searchOrder(set, undefined));

/** Number of addresses in pieces of which no two share one. */
export const sizeOf = (pieces: readonly Interval[]): bigint =>
  pieces.reduce((sum, piece) => sum + piece.to - piece.from + 1n, 0n);

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

/** Adds a piece without some addresses, which are ascending. */
function putWithout(pieces: Interval[], piece: Interval, holes: readonly bigint[]): void {
  let { from } = piece;
  for (let index = firstFrom(holes, from); index < holes.length; index++) {
    const hole = holes[index];
    if (hole === undefined || hole > piece.to) break;
    if (hole < from) continue;
    if (hole > from) pieces.push({ ...piece, from, to: hole - 1n });
    from = hole + 1n;
  }
  if (from <= piece.to) pieces.push({ ...piece, from });
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

const interval = (family: Family, from: bigint, to: bigint): Interval => ({ family, from, to });
