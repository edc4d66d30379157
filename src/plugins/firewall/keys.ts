/** The firewall plugin's keys (rules F2 to F4, F32). README's table of keys is generated from this one. */
import type { Keys } from "../../schema/keys.ts";

/** The keys that DEL and GC also need. */
export const NAME_KEYS = [
  [
    "iptablesAdminChainName",
    "text",
    "CNI-ADMIN",
    "Chain for rules of the administrator, which come before those of containers. At most 28 characters.",
  ],
  ["firewalldZone", "text", "trusted", "Zone of firewalld that addresses are assigned to."],
] as const satisfies Keys;

/** All keys. */
export const KEYS = [
  [
    "backend",
    "iptables|nftables|firewalld",
    null,
    "Where the rules are. Default: `firewalld` if it runs, else `iptables`.",
  ],
  [
    "ingressPolicy",
    "open|same-bridge|isolated",
    "open",
    "Who may connect to containers: everyone, only containers of the same bridge, or no other container. Published ports stay reachable from outside.",
  ],
  ...NAME_KEYS,
  [
    "acceptPublished",
    "boolean",
    true,
    "Accept connections to published ports even if the policy of `FORWARD` is to drop.",
  ],
] as const satisfies Keys;
