/** Ranges of addresses and sets of them (rules H41–H43, L11): what the configuration allows to be handed out. */
import { CniError, code } from "../../cni/error.ts";
import type { JsonObject } from "../../cni/json-object.ts";
import { areDisjoint, type Interval } from "../../net/interval.ts";
import { bits, type Family, formatIp, type IpAddress, parseIp, sameIp } from "../../net/ip.ts";
import {
  contains,
  formatPrefix,
  lastAddress,
  networkOf,
  type Prefix,
  parsePrefix,
} from "../../net/prefix.ts";

/** A piece of a subnet. */
export interface Range extends Interval {
  readonly subnet: Prefix;
  readonly gateway: IpAddress;
}

/** One pool: an attachment gets one address of each set. All ranges have one family. */
export interface RangeSet {
  readonly family: Family;
  /** At least one. */
  readonly ranges: readonly Range[];
}

/** The form that the reference's messages have: "10.1.2.2-10.1.2.254,10.1.3.2-10.1.3.254". */
export const formatSet = ({ ranges }: Pick<RangeSet, "ranges">): string =>
  ranges
    .map(({ family, from, to }) => `${formatIp({ family, value: from })}-${formatIp({ family, value: to })}`)
    .join(",");

/** Why an address inside the set's bounds is never handed out; undefined for one that may be (rules H46, L11). */
export function reservedAs(set: RangeSet, address: IpAddress): string | undefined {
  for (const { gateway, subnet } of set.ranges) {
    if (sameIp(address, gateway)) return "subnet's gateway";
    if (sameIp(address, subnet.address)) return "subnet's network address";
    if (address.family === 4 && sameIp(address, lastAddress(subnet))) return "subnet's broadcast address";
  }
  return undefined;
}

/**
 * A range set from its configuration. `path` names it in errors.
 * @throws CniError code 6 for a wrong JSON type, 7 for a wrong value.
 */
export function parseRangeSet(entries: readonly JsonObject[], path: string): RangeSet {
  const ranges: Range[] = [];
  for (const entry of entries) ranges.push(parseRange(entry));
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

function parseRange(json: JsonObject): Range {
  const text = json.string("subnet");
  const key = json.at("subnet");
  if (text === undefined) throw invalid(key, "missing", 'give the subnet, as in "10.1.2.0/24"');
  const subnet = parsePrefix(text);
  if (subnet === undefined)
    throw invalid(key, `invalid CIDR address: ${text}`, 'as in "10.1.2.0/24" or "fd00:1::/64"');
  const { family, value } = subnet.address;
  const longest = bits(family) - 2;
  if (subnet.length > longest)
    throw invalid(key, `Network ${text} too small to allocate from`, `use /${longest} or larger`);
  const network = networkOf(subnet).address;
  if (value !== network.value) {
    const right = `For a subnet mask of length ${subnet.length} the network address is ${formatIp(network)}`;
    throw invalid(key, `Network has host bits set. ${right}`, `found ${formatPrefix(subnet)}`);
  }
  const from = bound(json, "rangeStart", subnet)?.value ?? value + 1n;
  const end = bound(json, "rangeEnd", subnet);
  if (end !== undefined && end.value < from) {
    const found = `RangeEnd ${formatIp(end)} not in network ${formatPrefix(subnet)} from rangeStart on`;
    const start = formatIp({ family, value: from });
    throw invalid(json.at("rangeEnd"), found, `it is before rangeStart ${start}`);
  }
  const gateway = bound(json, "gateway") ?? { family, value: value + 1n };
  const last = family === 4 ? lastAddress(subnet).value - 1n : lastAddress(subnet).value;
  // A start at the broadcast address leaves a range with nothing in it to hand out, which is valid (rule L11).
  return { family, from, to: end?.value ?? (last < from ? from : last), subnet, gateway };
}

/** An address, undefined when absent or empty. */
function bound(json: JsonObject, key: string, subnet?: Prefix): IpAddress | undefined {
  const text = json.string(key);
  if (text === undefined || text === "") return undefined;
  const address = parseIp(text);
  if (address === undefined) throw invalid(json.at(key), `invalid IP address: ${text}`);
  if (subnet === undefined || contains(subnet, address)) return address;
  // "RangeStart" is the reference's word.
  const name = `R${key.slice(1)}`;
  throw invalid(json.at(key), `${name} ${formatIp(address)} not in network ${formatPrefix(subnet)}`);
}

function invalid(path: string, problem: string, remedy?: string): CniError {
  return new CniError(code.invalidConfig, `${path}: ${problem}${remedy === undefined ? "" : ` (${remedy})`}`);
}
