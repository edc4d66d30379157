/** The tuning plugin's keys (rules T1, T2). README's table is generated from them. */
import type { Keys } from "../../schema/keys.ts";

/** The key that DEL and GC also need. */
export const PLACE_KEYS = [
  [
    "dataDir",
    "path",
    "/run/cni/tuning",
    "Directory in which the former settings of interfaces are kept, for DEL.",
  ],
] as const satisfies Keys;

/** All keys. */
export const KEYS = [
  [
    "sysctl",
    "object",
    null,
    'Settings below `net` in the container: `{"net.ipv4.conf.IFNAME.arp_filter": "1"}`. IFNAME stands for the interface.',
  ],
  [
    "argumentSysctl",
    "object",
    null,
    "Further settings, and others in place of those.",
    null,
    "args.cni.sysctl",
  ],
  [
    "mac",
    "mac",
    null,
    "MAC address of the interface.",
    null,
    "args.cni.mac runtimeConfig.mac CNI_ARGS.MAC mac",
  ],
  [
    "promisc",
    "boolean",
    false,
    "Promiscuous mode; `false` leaves it as it is.",
    null,
    "args.cni.promisc promisc",
  ],
  ["mtu", "0..2147483647", 0, "MTU of the interface; 0 leaves it as it is.", null, "args.cni.mtu mtu"],
  [
    "allmulti",
    "boolean",
    null,
    "Whether the interface receives all multicast frames.",
    null,
    "args.cni.allmulti allmulti",
  ],
  ["txQLen", "0..4294967295", null, "Length of the transmit queue.", null, "args.cni.txQLen txQLen"],
  ...PLACE_KEYS,
] as const satisfies Keys;

/** The MAC address that bridge sets, whose places have another order (rule T37). */
export const BRIDGE_MAC_KEYS = [
  ["mac", "mac", null, "", null, "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC"],
] as const satisfies Keys;
