/** The bridge plugin's keys (rules B1–B9). README's table of keys is generated from this one. */
import { DNS_KEYS, ROUTE_KEYS } from "../../cni/keys.ts";
import type { Keys } from "../../schema/keys.ts";

/** The key that DEL and GC also need. */
export const NAME_KEYS = [
  ["bridge", "text", "cni0", "Name of the bridge. It is created if it does not exist."],
] as const satisfies Keys;

/** The one key of the section `ipam` that is the bridge plugin's own. */
export const IPAM_KEYS = [
  [
    "ipam",
    "text",
    null,
    "Name of the IPAM plugin that gives addresses. Without it the container gets an interface without addresses.",
    null,
    "ipam.type",
  ],
] as const satisfies Keys;

/** One item of `vlanTrunk`. */
export const TRUNK_KEYS = [
  ["id", "1..4094", null, "One VLAN."],
  ["minID", "1..4094", null, "First VLAN of a range."],
  ["maxID", "1..4094", null, "Last VLAN of a range."],
] as const satisfies Keys;

/** All keys. */
export const KEYS = [
  ...NAME_KEYS,
  ["isGateway", "boolean", false, "The bridge gets the gateway's address, and IP forwarding is enabled."],
  [
    "isDefaultGateway",
    "boolean",
    false,
    "Like `isGateway`, and the container gets a default route through the bridge.",
  ],
  [
    "forceAddress",
    "boolean",
    false,
    "Replace another address of the bridge. Without this key, another address is an error.",
  ],
  ["ipMasq", "boolean", false, "Masquerade: traffic to other networks leaves with the host's address."],
  [
    "ipMasqBackend",
    "iptables|nftables",
    null,
    "How `ipMasq` is done. Default: `iptables` if it works on this host, else `nftables`.",
  ],
  [
    "mtu",
    "0|68..65535",
    null,
    "MTU of a new bridge and of both ends of the veth pair. If it is 0 or absent, the kernel chooses.",
  ],
  ["hairpinMode", "boolean", false, "The bridge may send a frame back through the port that it came from."],
  ["promiscMode", "boolean", false, "Promiscuous mode of the bridge. Cannot be combined with `hairpinMode`."],
  ["vlan", "0..4094", 0, "VLAN of the container; 0 means none."],
  [
    "vlanTrunk",
    "object[]",
    null,
    'VLANs that reach the container tagged: `{"id": 5}`, `{"minID": 10, "maxID": 20}`.',
    TRUNK_KEYS,
  ],
  [
    "preserveDefaultVlan",
    "boolean",
    false,
    "Keep the bridge's default VLAN on the port when `vlan` or `vlanTrunk` is set.",
  ],
  ["macspoofchk", "boolean", false, "Drop frames whose source is not the container's MAC address."],
  [
    "enabledad",
    "boolean",
    false,
    "Check that no other host has the IPv6 address (duplicate address detection) before it is used.",
  ],
  [
    "disableContainerInterface",
    "boolean",
    false,
    "Leave the container's interface down, without addresses. Cannot be combined with `ipam`.",
  ],
  [
    "portIsolation",
    "boolean",
    false,
    "Containers on the bridge cannot reach each other, only the host and other networks.",
  ],
  [
    "mac",
    "mac",
    null,
    "MAC address of the container's interface.",
    null,
    "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC",
  ],
  ["dns", "object", null, "DNS settings of the result. They replace those of the IPAM plugin.", DNS_KEYS],
  ...IPAM_KEYS,
] as const satisfies Keys;

/** Keys of a range as host-local has it. */
const RANGE_KEYS = [
  ["subnet", "prefix!", null, ""],
  ["gateway", "address", null, ""],
] as const satisfies Keys;

/** Keys of an address as static has it. */
const ADDRESS_KEYS = [
  ["address", "prefix!", null, ""],
  ["gateway", "address", null, ""],
] as const satisfies Keys;

/** Keys for addresses and routes in an IPAM section that has the form of host-local's or static's. */
export const ADDRESSING_KEYS = [
  ["runtimeRanges", "object[][]", null, "", RANGE_KEYS, "runtimeConfig.ipRanges"],
  ["subnet", "prefix", null, ""],
  ["gateway", "address", null, ""],
  ["ranges", "object[][]", null, "", RANGE_KEYS],
  ["addresses", "object[]", null, "", ADDRESS_KEYS],
  ["routes", "object[]", null, "", ROUTE_KEYS],
] as const satisfies Keys;

/** What replaces the addresses of static's section; the last place says that the runtime will send them. */
export const REPLACING_KEYS = [
  ["ips", "any", null, "", null, "runtimeConfig.ips args.cni.ips capabilities.ips"],
] as const satisfies Keys;
