/** Ranges of addresses and range sets, which the configuration allows to hand out (rules H41–H43, L11). */
import { CniError, code } from "../../cni/error.ts";
import { areDisjoint, type Interval } from "../../net/interval.ts";
import { bits, type Family, formatIp, type IpAddress, sameIp } from "../../net/ip.ts";
import { contains, formatPrefix, lastAddress, networkOf, type Prefix } from "../../net/prefix.ts";
import type { Parsed } from "../../schema/keys.ts";
import type { RANGE_KEYS } from "./keys.ts";

/** A part of a subnet. */
export interface Range extends Interval {
  readonly subnet: Prefix;
  readonly gateway: IpAddress;
}

/** An attachment gets one address of each set. All ranges of a set have the same family. */
export interface RangeSet {
  readonly family: Family;
  /** At least one. */
  readonly ranges: readonly Range[];
}

/** The set as the reference's messages have it: "10.1.2.2-10.1.2.254,10.1.3.2-10.1.3.254". */
export const formatSet = ({ ranges }: Pick<RangeSet, "ranges">): string =>
  ranges
    .map(({ family, from, to }) => `${formatIp({ family, value: from })}-${formatIp({ family, value: to })}`)
    .join(",");

/** Why an address inside the set is never handed out; undefined if it may be handed out (rules H46, L11). */
export function reservedAs(set: RangeSet, address: IpAddress): string | undefined {
  for (const { gateway, subnet } of set.ranges) {
    if (sameIp(address, gateway)) return "subnet's gateway";
    if (sameIp(address, subnet.address)) return "subnet's network address";
    if (address.family === 4 && sameIp(address, lastAddress(subnet))) return "subnet's broadcast address";
  }
  return undefined;
}

/**
 * A range set from its configuration. `path` names it in errors; it is "ipam" for the single range directly in `ipam`.
 * @throws CniError code 7
 */
export function parseRangeSet(entries: readonly Parsed<typeof RANGE_KEYS>[], path: string): RangeSet {
  const ranges: Range[] = [];
  for (const entry of entries)
    ranges.push(parseRange(entry, path === "ipam" ? path : `${path}[${ranges.length}]`));
  const [first] = ranges;
  if (first === undefined) throw invalid(path, "empty range set", "give it at least one subnet");
  const { family } = first;
  const areApart = areDisjoint(ranges);
  for (const [index, range] of ranges.entries()) {
    if (range.family !== family) {
      const found = `${formatPrefix(first.subnet)} and ${formatPrefix(range.subnet)}`;
      throw invalid(path, "mixed address families", `${found}; give each family a set of its own`);
    }
    if (areApart) continue;
    const other = ranges.slice(0, index).find((earlier) => !areDisjoint([earlier, range]));
    if (other === undefined) continue;
    const [one, two] = [formatSet({ ranges: [other] }), formatSet({ ranges: [range] })];
    throw invalid(path, `subnets ${one} and ${two} overlap`);
  }
  return { family, ranges };
}

function parseRange(
  { subnet, rangeStart, rangeEnd, gateway }: Parsed<typeof RANGE_KEYS>,
  path: string,
): Range {
  const { family, value } = subnet.address;
  const key = `${path}.subnet`;
  const longest = bits(family) - 2;
  if (subnet.length > longest)
    throw invalid(
      key,
      `Network ${formatPrefix(subnet)} too small to allocate from`,
      `use /${longest} or larger`,
    );
  const network = networkOf(subnet).address;
  if (value !== network.value) {
    const right = `For a subnet mask of length ${subnet.length} the network address is ${formatIp(network)}`;
    throw invalid(key, `Network has host bits set. ${right}`, `found ${formatPrefix(subnet)}`);
  }
  if (rangeStart !== undefined) requireInside(subnet, rangeStart, path, "RangeStart");
  if (rangeEnd !== undefined) requireInside(subnet, rangeEnd, path, "RangeEnd");
  const from = rangeStart?.value ?? value + 1n;
  if (rangeEnd !== undefined && rangeEnd.value < from) {
    const found = `RangeEnd ${formatIp(rangeEnd)} not in network ${formatPrefix(subnet)} from rangeStart on`;
    const start = formatIp({ family, value: from });
    throw invalid(`${path}.rangeEnd`, found, `it is before rangeStart ${start}`);
  }
  const last = family === 4 ? lastAddress(subnet).value - 1n : lastAddress(subnet).value;
  // A range that starts at the broadcast address is valid, although it has no address to hand out (rule L11).
  const to = rangeEnd?.value ?? (last < from ? from : last);
  return { family, from, to, subnet, gateway: gateway ?? { family, value: value + 1n } };
}

/** `name` is the reference's word for the key. */
function requireInside(subnet: Prefix, address: IpAddress, path: string, name: string): void {
  if (contains(subnet, address)) return;
  const found = `${name} ${formatIp(address)} not in network ${formatPrefix(subnet)}`;
  throw invalid(`${path}.r${name.slice(1)}`, found);
}

function invalid(path: string, problem: string, remedy?: string): CniError {
  return new CniError(code.invalidConfig, `${path}: ${problem}${remedy === undefined ? "" : ` (${remedy})`}`);
}
