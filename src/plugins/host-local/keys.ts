/** The keys of an `ipam` section with "type": "host-local" (rules H40–H45). README's table is generated from them. */
import { ROUTES_KEY } from "../../cni/keys.ts";
import type { Keys } from "../../schema/keys.ts";

const BOUND_KEYS = [
  [
    "rangeStart",
    "address",
    null,
    "First address that is handed out. Default: the first address of the network.",
  ],
  [
    "rangeEnd",
    "address",
    null,
    "Last address that is handed out. Default: the last address that a host can have.",
  ],
  ["gateway", "address", null, "The network's gateway. Default: the first address of the network."],
] as const satisfies Keys;

/** The keys of one range. */
export const RANGE_KEYS = [
  ["subnet", "prefix!", null, "Network of the range, as in `10.1.2.0/24`."],
  ...BOUND_KEYS,
] as const satisfies Keys;

/** The key that DEL and GC also need (rule L9). */
export const PLACE_KEYS = [
  ["dataDir", "path", "/var/lib/cni/networks", "Directory of the leases: one file for each address."],
] as const satisfies Keys;

/** The section of the configuration that has these keys. */
export const SECTION = "ipam";

/** The keys that ADD, CHECK and STATUS need. */
export const ALLOCATION_KEYS = [
  [
    "ranges",
    "object[][]",
    null,
    "Each inner list is a set of ranges, each with the four keys below. The container gets one address from each set.",
    RANGE_KEYS,
  ],
  [
    "subnet",
    "prefix",
    null,
    "Network of a range, as in `10.1.2.0/24`. The keys of a single range may be directly in `ipam`.",
  ],
  ...BOUND_KEYS,
  ROUTES_KEY,
  ["resolvConf", "path", null, "A file like `/etc/resolv.conf`. Its settings become the result's `dns`."],
  ...PLACE_KEYS,
  [
    "statusReportsExhaustion",
    "boolean",
    false,
    "STATUS fails when a set has no free address. A runtime then reports the whole node as not ready.",
  ],
  [
    "runtimeRanges",
    "object[][]",
    null,
    "Further sets of ranges, which come before the others.",
    RANGE_KEYS,
    "runtimeConfig.ipRanges",
  ],
  ["argumentIps", "address/length[]", null, "Fixed addresses.", null, "args.cni.ips"],
  [
    "variableIps",
    "address/length[]",
    null,
    "A fixed address. `args.cni.ips` takes its place.",
    null,
    "CNI_ARGS.IP",
  ],
  ["runtimeIps", "address/length[]", null, "Further fixed addresses.", null, "runtimeConfig.ips"],
] as const satisfies Keys;

/** The key that only STATUS reads, and only without ranges. */
export const CAPABILITY_KEYS = [
  [
    "rangesComeWithAdd",
    "boolean",
    false,
    "The runtime sends the ranges with ADD, so that STATUS does not require them.",
    null,
    "capabilities.ipRanges",
  ],
] as const satisfies Keys;

/** All keys, for the documents. */
export const KEYS = [...ALLOCATION_KEYS, ...CAPABILITY_KEYS] as const satisfies Keys;
