/** The bridge plugin's keys (rules B1–B9). README's table of keys is generated from this one. */
import { DNS_KEYS, ROUTE_KEYS } from "../../cni/keys.ts";
import type { Keys } from "../../schema/keys.ts";

/** The key that DEL and GC need as well. */
export const NAME_KEYS = [
  ["bridge", "text", "cni0", "Name of the bridge. It is made when it is not there."],
] as const satisfies Keys;

/** The one key of the section `ipam` that is the bridge plugin's own. */
export const IPAM_KEYS = [
  [
    "ipam",
    "text",
    null,
    "Name of the IPAM plugin that gives addresses. Without it the container gets an interface and no address.",
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
  ["isGateway", "boolean", false, "The bridge gets the gateway's address, and forwarding is turned on."],
  ["isDefaultGateway", "boolean", false, "As `isGateway`, and the container gets a default route to it."],
  [
    "forceAddress",
    "boolean",
    false,
    "Replace another address that the bridge has. Without it that is an error.",
  ],
  ["ipMasq", "boolean", false, "Traffic to other networks leaves with the host's address."],
  [
    "ipMasqBackend",
    "iptables|nftables",
    null,
    "How that is done. Without it `iptables` if that works here, else `nftables`.",
  ],
  [
    "mtu",
    "0|68..65535",
    null,
    "MTU of the bridge, when it is made, and of both ends of the pair. 0 or nothing leaves it to the kernel.",
  ],
  ["hairpinMode", "boolean", false, "A frame may leave through the port that it came from."],
  ["promiscMode", "boolean", false, "Promiscuous mode of the bridge. Not together with `hairpinMode`."],
  ["vlan", "0..4094", 0, "VLAN of the container; 0 is none."],
  [
    "vlanTrunk",
    "object[]",
    null,
    'VLANs that reach the container with their tag: `{"id": 5}`, `{"minID": 10, "maxID": 20}`.',
    TRUNK_KEYS,
  ],
  [
    "preserveDefaultVlan",
    "boolean",
    false,
    "Keep the bridge's default VLAN on the port when VLANs are used.",
  ],
  ["macspoofchk", "boolean", false, "Drop frames whose source is not the container's MAC address."],
  ["enabledad", "boolean", false, "Check that no other host has the IPv6 address before it is used."],
  [
    "disableContainerInterface",
    "boolean",
    false,
    "Leave the container's end down, without addresses. Not together with `ipam`.",
  ],
  [
    "portIsolation",
    "boolean",
    false,
    "Containers of the bridge cannot reach each other, only the host and beyond.",
  ],
  [
    "mac",
    "mac",
    null,
    "MAC address of the container's interface.",
    null,
    "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC",
  ],
  [
    "dns",
    "object",
    null,
    "What the result says of resolvers, instead of what the IPAM plugin says.",
    DNS_KEYS,
  ],
  ...IPAM_KEYS,
] as const satisfies Keys;

/** Keys of a range or an address in an IPAM section. */
export const ENTRY_KEYS = [
  ["subnet", "prefix", null, ""],
  ["address", "prefix", null, ""],
  ["gateway", "address", null, ""],
] as const satisfies Keys;

/** Keys for addresses and routes in an IPAM section that has the form of host-local's or static's. */
export const ADDRESSING_KEYS = [
  ["runtimeRanges", "object[][]", null, "", ENTRY_KEYS, "runtimeConfig.ipRanges"],
  ["subnet", "prefix", null, ""],
  ["gateway", "address", null, ""],
  ["ranges", "object[][]", null, "", ENTRY_KEYS],
  ["addresses", "object[]", null, "", ENTRY_KEYS],
  ["routes", "object[]", null, "", ROUTE_KEYS],
] as const satisfies Keys;
