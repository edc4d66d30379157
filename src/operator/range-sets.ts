/** The range sets of a network by its configuration, and how much of them is used. */

import { toCniError } from "../cni/error.ts";
import { type Interval, intervalOf, sizeOf } from "../net/interval.ts";
import { type Family, formatIp, type IpAddress } from "../net/ip.ts";
import { formatPrefix } from "../net/prefix.ts";
import { searchOrder } from "../plugins/host-local/allocator.ts";
import { ALLOCATION_KEYS } from "../plugins/host-local/keys.ts";
import { formatSet, parseRangeSet, type Range, type RangeSet } from "../plugins/host-local/range.ts";
import { get, parse } from "../schema/parse.ts";
import type { LeaseFolder } from "./lease-folders.ts";
import type { JudgedLease } from "./lease-states.ts";
import { isDocument, type Network } from "./networks.ts";

/** A range set and its addresses; without a configuration only what is used is known. */
export interface SetUse {
  readonly family: Family;
  /** Undefined without a configuration. */
  readonly ranges: readonly Range[] | undefined;
  /** Addresses that may be handed out; undefined without a configuration. */
  readonly total: bigint | undefined;
  readonly used: number;
  readonly alive: number;
  readonly dead: number;
  readonly unknown: number;
  readonly free: bigint | undefined;
  /** The address that the next ADD gets; undefined if none is free, or without a configuration. */
  readonly next: IpAddress | undefined;
}

/** The `ipam` section of the first plugin that uses host-local. */
export function hostLocalOf({ plugins }: Network): object | undefined {
  for (const plugin of plugins) {
    const ipam = get(plugin, "ipam");
    if (isDocument(ipam) && get(ipam, "type") === "host-local") return ipam;
  }
  return undefined;
}

/** The range sets of a network, or why they cannot be read. None if the runtime sends them with each ADD. */
export function rangeSetsOf(network: Network): RangeSet[] | string {
  try {
    const ipam = hostLocalOf(network);
    if (ipam === undefined) return [];
    const keys = parse(ALLOCATION_KEYS, ipam, "ipam");
    const { ranges = [], subnet } = keys;
    return [
      ...(subnet === undefined ? [] : [parseRangeSet([{ ...keys, subnet }], "ipam")]),
      ...ranges.map((set, index) => parseRangeSet(set, `ipam.ranges[${index}]`)),
    ];
  } catch (error) {
    return toCniError(error).message;
  }
}

/** How much of the sets is used. What is in none of them is in a set of its own, without ranges. */
export function usesOf(
  sets: readonly RangeSet[],
  folder: LeaseFolder | undefined,
  leases: readonly JudgedLease[],
): SetUse[] {
  const held: Held[] = [
    ...leases,
    ...(folder?.other ?? []).flatMap(({ address }) =>
      address === undefined ? [] : { address, state: "unknown" as const },
    ),
  ];
  const rest = new Set(held);
  const uses = sets.map((set, index): SetUse => {
    const order = searchOrder(set, undefined);
    const inside = held.filter(({ address }) => intervalOf(order, address) !== undefined);
    for (const each of inside) rest.delete(each);
    const total = sizeOf(order);
    const taken = new Set(inside.map(({ address }) => address.value));
    const search = searchOrder(set, folder?.files.readHint(index));
    const { family, ranges } = set;
    const next = firstFree(search, taken);
    return { family, ranges, total, ...countsOf(inside), free: total - BigInt(taken.size), next };
  });
  for (const family of [4, 6] as const) {
    const others = [...rest].filter(({ address }) => address.family === family);
    const [total, free, next] = [undefined, undefined, undefined];
    if (others.length > 0) uses.push({ family, ranges: undefined, total, ...countsOf(others), free, next });
  }
  return uses;
}

type Held = Pick<JudgedLease, "address" | "state">;

function countsOf(held: readonly Held[]): Pick<SetUse, "used" | "alive" | "dead" | "unknown"> {
  const counts = { used: held.length, alive: 0, dead: 0, unknown: 0 };
  for (const { state } of held) counts[state]++;
  return counts;
}

function firstFree(order: readonly Interval[], taken: ReadonlySet<bigint>): IpAddress | undefined {
  for (const { family, from, to } of order)
    for (let value = from; value <= to; value++) if (!taken.has(value)) return { family, value };
  return undefined;
}

/** The ranges in a few words: "10.1.2.0/24", or the bounds where a range is only a part of its subnet. */
export function describeRanges(ranges: readonly Range[]): string {
  return ranges
    .map((range) => {
      const { family, subnet } = range;
      const [whole] = [parseRangeSet([{ subnet }], "ipam")].map((set) => set.ranges[0]);
      const isWhole = whole?.from === range.from && whole.to === range.to && whole.family === family;
      return isWhole ? formatPrefix(subnet) : formatSet({ ranges: [range] });
    })
    .join(",");
}

/** The ranges with the words of the configuration. */
export const rangesDocument = (ranges: readonly Range[] = []): object[] =>
  ranges.map(({ family, subnet, from, to, gateway }) => ({
    subnet: formatPrefix(subnet),
    rangeStart: formatIp({ family, value: from }),
    rangeEnd: formatIp({ family, value: to }),
    gateway: formatIp(gateway),
  }));
