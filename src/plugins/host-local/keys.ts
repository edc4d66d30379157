/** The keys of an `ipam` section with "type": "host-local" (rules H40–H45). README's table is generated from them. */
import { ROUTE_KEYS } from "../../cni/keys.ts";
import type { Keys } from "../../schema/keys.ts";

const BOUND_KEYS = [
  [
    "rangeStart",
    "address",
    null,
    "First address that is handed out; by default the first one of the network.",
  ],
  [
    "rangeEnd",
    "address",
    null,
    "Last address that is handed out; by default the last one that a host can have.",
  ],
  ["gateway", "address", null, "The network's gateway; by default the first address of the network."],
] as const satisfies Keys;

/** The keys of one range. */
export const RANGE_KEYS = [
  ["subnet", "prefix!", null, "Network of the range, as in `10.1.2.0/24`."],
  ...BOUND_KEYS,
] as const satisfies Keys;

/** The keys that DEL and GC read as well (rule L9). */
export const PLACE_KEYS = [
  ["dataDir", "path", "/var/lib/cni/networks", "Where the leases are: one file for each address."],
] as const satisfies Keys;

/** The part of a configuration that has the keys. */
export const SECTION = "ipam";

export const KEYS = [
  [
    "ranges",
    "object[][]",
    null,
    "Each inner list is a set of ranges, which have the four keys below; the container gets one address of each set.",
    RANGE_KEYS,
  ],
  [
    "subnet",
    "prefix",
    null,
    "Network of a range, as in `10.1.2.0/24`. A single range may be given directly in `ipam`.",
  ],
  ...BOUND_KEYS,
  [
    "routes",
    "object[]",
    null,
    '`{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}`; also `mtu`, `advmss`, `priority`, `table`, `scope`.',
    ROUTE_KEYS,
  ],
  ["resolvConf", "path", null, "A file like `/etc/resolv.conf`, which becomes the result's `dns`."],
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
    "Further sets of ranges, before the others.",
    RANGE_KEYS,
    "runtimeConfig.ipRanges",
  ],
  [
    "rangesComeWithAdd",
    "boolean",
    false,
    "The runtime sends the ranges with ADD; STATUS works without them.",
    null,
    "capabilities.ipRanges",
  ],
  ["argumentIps", "address/length[]", null, "Fixed addresses.", null, "args.cni.ips CNI_ARGS.IP"],
  ["runtimeIps", "address/length[]", null, "Further fixed addresses.", null, "runtimeConfig.ips"],
] as const satisfies Keys;
