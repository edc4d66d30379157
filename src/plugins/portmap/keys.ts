/** The portmap plugin's keys (rules M1 to M5). */
import type { Keys } from "../../schema/keys.ts";

/** One item of `portMappings`. */
export const MAPPING_KEYS = [
  ["hostPort", "integer", null, "Port of the host, 1 to 65535."],
  ["containerPort", "integer", null, "Port of the container, 1 to 65535."],
  ["protocol", "text", "tcp", "`tcp`, `udp` or `sctp`, in any case."],
  [
    "hostIP",
    "text",
    null,
    "Address of the host. `0.0.0.0` and `::` mean all of their family; without this key all of both families.",
  ],
] as const satisfies Keys;

/** All keys. */
export const KEYS = [
  [
    "portMappings",
    "object[]",
    null,
    'Ports to publish: `{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}`. Without any, the plugin does nothing.',
    MAPPING_KEYS,
    "runtimeConfig.portMappings",
  ],
  [
    "backend",
    "text",
    null,
    "`iptables` or `nftables`. Default: `nftables` beside firewalld, else `iptables` if it works on this host, else `nftables`.",
  ],
  [
    "snat",
    "boolean",
    true,
    "Masquerade connections from the container's own subnet and from 127.0.0.1, which could not be answered otherwise.",
  ],
  [
    "masqAll",
    "boolean",
    false,
    "Masquerade all connections to published ports: the container never sees the client's address.",
  ],
  [
    "markMasqBit",
    "integer",
    null,
    "Bit of the packet mark, 0 to 31, with which iptables selects what it masquerades. Default: 13. Cannot be combined with `externalSetMarkChain`.",
  ],
  [
    "externalSetMarkChain",
    "text",
    null,
    "Chain of another program that sets such a mark, as `KUBE-MARK-MASQ` of kube-proxy. Only for iptables.",
  ],
  [
    "conditionsV4",
    "text[]",
    null,
    "Words that IPv4 connections must match, as of iptables (`-s`, `10.0.0.0/8`) or nft (`ip`, `saddr`, `10.0.0.0/8`). They need that tool.",
  ],
  ["conditionsV6", "text[]", null, "The same for IPv6 connections."],
] as const satisfies Keys;
