/** Ranges of addresses and sets of them (rules H41–H43, L11): what the configuration allows to be handed out. */
import { CniError, code } from "../../cni/error.ts";
import type { JsonObject } from "../../cni/json-object.ts";
import { bits, type Family, formatIp, type IpAddress, parseIp, sameIp } from "../../net/ip.ts";
import {
  contains,
  formatPrefix,
  lastAddress,
  networkOf,
  type Prefix,
  parsePrefix,
} from "../../net/prefix.ts";

/** A piece of a subnet. `start` and `end` are the first and the last address, both inclusive. */
export interface Range {
  readonly subnet: Prefix;
  readonly gateway: IpAddress;
  readonly start: IpAddress;
  readonly end: IpAddress;
}

/** One pool: an attachment gets one address of each set. All ranges have one family. */
export interface RangeSet {
  readonly family: Family;
  /** At least one. */
  readonly ranges: readonly Range[];
}

/** The form that the reference's messages have: "10.1.2.2-10.1.2.254,10.1.3.2-10.1.3.254". */
export const formatSet = (set: RangeSet): string => set.ranges.map(formatRange).join(",");

const formatRange = (range: Range): string => `${formatIp(range.start)}-${formatIp(range.end)}`;

const holds = (range: Range, address: IpAddress): boolean =>
  address.family === range.start.family &&
  address.value >= range.start.value &&
  address.value <= range.end.value;

/** The range of a set that an address is in. */
export const rangeOf = (set: RangeSet, address: IpAddress): Range | undefined =>
  set.ranges.find((range) => holds(range, address));

/** Why an address inside the set's bounds is never handed out; undefined for one that may be (rules H46, L11). */
export function reservedAs(set: RangeSet, address: IpAddress): string | undefined {
  for (const range of set.ranges) {
    if (sameIp(address, range.gateway)) return "subnet's gateway";
    if (sameIp(address, range.subnet.address)) return "subnet's network address";
    if (address.family === 4 && sameIp(address, lastAddress(range.subnet)))
      return "subnet's broadcast address";
  }
  return undefined;
}

const overlap = (a: Range, b: Range): boolean =>
  a.start.family === b.start.family && a.start.value <= b.end.value && b.start.value <= a.end.value;

/** Whether no two of the ranges share an address, found in less time than by comparing each with each. */
export function disjoint(ranges: readonly Range[]): boolean {
  if (ranges.length < 2) return true;
  const ascending = [...ranges].sort(
    (a, b) => a.start.family - b.start.family || compare(a.start.value, b.start.value),
  );
  return ascending.every((range, index) => {
    const before = ascending[index - 1];
    return before === undefined || !overlap(before, range);
  });
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Whether two sets share an address. */
export const setsOverlap = (a: RangeSet, b: RangeSet): boolean =>
  a.ranges.some((range) => b.ranges.some((other) => overlap(range, other)));

/**
 * A range set from its configuration. `path` names it in errors.
 * @throws CniError code 6 for a wrong JSON type, 7 for a wrong value.
 */
export function parseRangeSet(entries: readonly JsonObject[], path: string): RangeSet {
  const ranges = entries.map(parseRange);
  const [first] = ranges;
  if (first === undefined) throw invalid(path, "empty range set", "give it at least one subnet");
  const { family } = first.start;
  const apart = disjoint(ranges);
  ranges.forEach((range, index) => {
    if (range.start.family !== family) {
      const found = `${formatPrefix(first.subnet)} and ${formatPrefix(range.subnet)}`;
      throw invalid(path, "mixed address families", `${found}; give each family a set of its own`);
    }
    const other = apart ? undefined : ranges.slice(0, index).find((earlier) => overlap(earlier, range));
    if (other !== undefined) {
      throw invalid(path, `subnets ${formatRange(other)} and ${formatRange(range)} overlap`);
    }
  });
  return { family, ranges };
}

function parseRange(json: JsonObject): Range {
  const subnet = parseSubnet(json);
  const width = bits(subnet.address.family);
  const network = networkOf(subnet);
  if (subnet.length > width - 2) {
    throw invalid(
      json.at("subnet"),
      `Network ${formatPrefix(subnet)} too small to allocate from`,
      `use /${width - 2} or larger`,
    );
  }
  if (!sameIp(subnet.address, network.address)) {
    const right = `For a subnet mask of length ${subnet.length} the network address is ${formatIp(network.address)}`;
    throw invalid(json.at("subnet"), `Network has host bits set. ${right}`, `found ${formatPrefix(subnet)}`);
  }
  const first = { family: subnet.address.family, value: subnet.address.value + 1n };
  const start = bound(json, "rangeStart") ?? first;
  if (!contains(subnet, start)) {
    throw invalid(
      json.at("rangeStart"),
      `RangeStart ${formatIp(start)} not in network ${formatPrefix(subnet)}`,
    );
  }
  const givenEnd = bound(json, "rangeEnd");
  if (givenEnd !== undefined && !contains(subnet, givenEnd)) {
    throw invalid(
      json.at("rangeEnd"),
      `RangeEnd ${formatIp(givenEnd)} not in network ${formatPrefix(subnet)}`,
    );
  }
  if (givenEnd !== undefined && givenEnd.value < start.value) {
    const found = `RangeEnd ${formatIp(givenEnd)} not in network ${formatPrefix(subnet)} from rangeStart on`;
    throw invalid(json.at("rangeEnd"), found, `it is before rangeStart ${formatIp(start)}`);
  }
  return {
    subnet,
    gateway: bound(json, "gateway") ?? first,
    start,
    end: givenEnd ?? defaultEnd(subnet, start),
  };
}

/** A start at the broadcast address leaves a range with nothing in it to hand out, which is valid (rule L11). */
function defaultEnd(subnet: Prefix, start: IpAddress): IpAddress {
  const last = lastAddress(subnet);
  const value = last.family === 4 ? last.value - 1n : last.value;
  return value < start.value ? start : { family: last.family, value };
}

function parseSubnet(json: JsonObject): Prefix {
  const text = json.string("subnet");
  if (text === undefined) throw invalid(json.at("subnet"), "missing", 'give the subnet, as in "10.1.2.0/24"');
  const subnet = parsePrefix(text);
  if (subnet !== undefined) return subnet;
  throw invalid(json.at("subnet"), `invalid CIDR address: ${text}`, 'as in "10.1.2.0/24" or "fd00:1::/64"');
}

/** An address, undefined when absent or empty. */
function bound(json: JsonObject, key: string): IpAddress | undefined {
  const text = json.string(key);
  if (text === undefined || text === "") return undefined;
  const address = parseIp(text);
  if (address !== undefined) return address;
  throw invalid(json.at(key), `invalid IP address: ${text}`);
}

function invalid(path: string, problem: string, remedy?: string): CniError {
  return new CniError(code.invalidConfig, `${path}: ${problem}${remedy === undefined ? "" : ` (${remedy})`}`);
}
