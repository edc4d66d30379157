/** The subnets of a network, as its configuration has them. */
import type { Interval } from "../../net/interval.ts";
import type { IpAddress } from "../../net/ip.ts";
import { lastAddress, networkOf, type Prefix } from "../../net/prefix.ts";
import { ADDRESSING_KEYS } from "../../plugins/bridge/keys.ts";
import { ALLOCATION_KEYS } from "../../plugins/host-local/keys.ts";
import { KeyError } from "../../schema/key-error.ts";
import { get, parse } from "../../schema/parse.ts";
import { inside, isObject, type NetworkFile, type PluginEntry } from "./network-file.ts";

/** A subnet of a network. */
export interface Subnet {
  readonly prefix: Prefix;
  /** The path of its key. */
  readonly key: string;
  /** The addresses of it that containers get. */
  readonly given: Interval;
  readonly gateway: IpAddress;
}

/** The subnets of a network whose IPAM plugin is host-local or static. */
export const subnetsOf = ({ plugins }: NetworkFile): Subnet[] => plugins.flatMap(subnetsOfEntry);

/** The subnets of one plugin of a network. */
export function subnetsOfEntry(entry: PluginEntry): Subnet[] {
  const section = get(entry.written, "ipam");
  if (!isObject(section)) return [];
  const elsewhere = { document: entry.document, variables: undefined };
  try {
    if (entry.ipam === "static") {
      const { addresses = [] } = parse(ADDRESSING_KEYS, section, "ipam", elsewhere);
      return addresses.map(({ address, gateway }, index) => {
        const { family, value } = address.address;
        const given = { family, from: value, to: value };
        return subnet(address, inside(entry.at, `ipam.addresses[${index}].address`), given, gateway);
      });
    }
    if (entry.ipam !== "host-local") return [];
    const keys = parse(ALLOCATION_KEYS, section, "ipam", elsewhere);
    const found: Subnet[] = [];
    const add = (range: RangeKeys, key: string): void => {
      const { family } = range.subnet.address;
      const from = range.rangeStart?.value ?? networkOf(range.subnet).address.value;
      const to = range.rangeEnd?.value ?? lastAddress(range.subnet).value;
      found.push(
        subnet(range.subnet, inside(entry.at, `${key}.subnet`), { family, from, to }, range.gateway),
      );
    };
    if (keys.subnet !== undefined) add({ ...keys, subnet: keys.subnet }, "ipam");
    const sets = [
      ["ipam.ranges", keys.ranges ?? []],
      ["runtimeConfig.ipRanges", keys.runtimeRanges ?? []],
    ] as const;
    for (const [path, ranges] of sets)
      for (const [set, entries] of ranges.entries())
        for (const [index, range] of entries.entries()) add(range, `${path}[${set}][${index}]`);
    return found;
  } catch (error) {
    // The section is wrong, which is reported elsewhere.
    if (error instanceof KeyError) return [];
    throw error;
  }
}

interface RangeKeys {
  readonly subnet: Prefix;
  readonly rangeStart?: IpAddress;
  readonly rangeEnd?: IpAddress;
  readonly gateway?: IpAddress;
}

function subnet(prefix: Prefix, key: string, given: Interval, gateway: IpAddress | undefined): Subnet {
  const network = networkOf(prefix);
  const { family, value } = network.address;
  return { prefix: network, key, given, gateway: gateway ?? { family, value: value + 1n } };
}
