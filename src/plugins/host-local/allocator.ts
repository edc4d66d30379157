/**
 * Orders the addresses of a set for allocation (rules H48, L11): arithmetic over intervals, so a /64 costs as much as a
 * /29. It does not know which addresses are held.
 */
import { compare, type Interval, intervalOf } from "../../net/interval.ts";
import type { IpAddress } from "../../net/ip.ts";
import { lastAddress } from "../../net/prefix.ts";
import type { RangeSet } from "./range.ts";

/**
 * All addresses that the set may hand out, in the order in which to try them. It starts after the last reserved address
 * `last`, goes to the end of its range, through the other ranges, and from the start of its range up to `last` itself.
 * If `last` is not in the set, it starts at the first range.
 */
export function searchOrder({ family, ranges }: RangeSet, last: IpAddress | undefined): Interval[] {
  // Gateways, network addresses and IPv4 broadcast addresses of all ranges are never handed out.
  const reserved: bigint[] = [];
  for (const { gateway, subnet } of ranges) {
    if (gateway.family === family) reserved.push(gateway.value);
    reserved.push(subnet.address.value);
    if (family === 4) reserved.push(lastAddress(subnet).value);
  }
  reserved.sort(compare);
  const hinted = last === undefined ? undefined : intervalOf(ranges, last);
  const later: Interval[] = [];
  const earlier: Interval[] = [];
  let pieces = hinted === undefined ? later : earlier;
  for (const range of ranges) {
    if (range === hinted && last !== undefined) {
      putWithout(reserved, earlier, { family, from: range.from, to: last.value });
      putWithout(reserved, later, { family, from: last.value + 1n, to: range.to });
      pieces = later;
    } else {
      putWithout(reserved, pieces, range);
    }
  }
  for (const piece of earlier) later.push(piece);
  return later;
}

/** Adds to `pieces` the interval without the reserved addresses. */
function putWithout(reserved: readonly bigint[], pieces: Interval[], { family, from, to }: Interval): void {
  // A binary search skips the reserved addresses before this interval: a set may have thousands of ranges.
  let [low, high] = [0, reserved.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((reserved[middle] ?? 0n) < from) low = middle + 1;
    else high = middle;
  }
  let next = from;
  for (; low < reserved.length; low++) {
    const hole = reserved[low];
    if (hole === undefined || hole > to) break;
    if (hole > next) pieces.push({ family, from: next, to: hole - 1n });
    next = hole + 1n;
  }
  if (next <= to) pieces.push({ family, from: next, to });
}
