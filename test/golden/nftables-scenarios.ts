/** What `nft` and `iptables` are asked to do for the goldens of nf_tables. */
import { messageType } from "../../src/netlink/nftables/header.ts";
import type { Scenario } from "./rtnetlink-scenarios.ts";

const TABLE = "nft add table inet t";
const CHAIN = "nft add chain inet t c";
const BRIDGE = "nft add table bridge t && nft add chain bridge t c";

const change = (name: string, before: readonly string[], command: string): Scenario => ({
  name,
  before,
  command,
  keep: "last",
});

const nft = (name: string, before: readonly string[], ruleset: string): Scenario =>
  change(name, before, `nft '${ruleset}'`);

/** Rules of B28 as iptables-restore writes them. */
const iptables = (family: "" | "6", subnet: string, multicast: string, address: string): Scenario => {
  const comment = `-m comment --comment "name: \\"net\\" id: \\"cid\\""`;
  const lines = [
    "*nat",
    ":CNI-chain - [0:0]",
    `-A CNI-chain -d ${subnet} ${comment} -j ACCEPT`,
    `-A CNI-chain ! -d ${multicast} ${comment} -j MASQUERADE`,
    `-A POSTROUTING -s ${address} ${comment} -j CNI-chain`,
    "COMMIT",
    "",
  ];
  const file = `/run/rules${family}`;
  return change(
    `iptables${family}-restore`,
    [`printf '%s' '${lines.join("\n").replaceAll("\n", "'\"\\n\"'")}' | sed 's/\\\\n/\\n/g' >${file}`],
    `ip${family}tables-nft-restore --noflush ${file}`,
  );
};

/** One of each kind of thing, for what the kernel tells of it. */
const RULESET = [
  `nft 'table inet t { comment "a table"; }'`,
  `nft 'add chain inet t c { comment "a chain"; }'`,
  "nft 'add chain inet t p { type nat hook postrouting priority srcnat; policy accept; }'",
  `nft 'add rule inet t c ip saddr { 10.1.2.3 } ip daddr != 10.1.2.0/24 counter masquerade comment "a rule"'`,
  "nft 'add rule inet t c ip6 saddr fd00::3 return'",
  "nft 'add rule inet t c tcp dport 22 accept'",
  "nft 'add rule inet t p goto c'",
  `nft 'add set inet t s { type ipv4_addr; comment "a set"; elements = { 10.1.2.3 comment "an element" }; }'`,
  "nft 'add set inet t i { type ipv4_addr; flags interval; elements = { 10.1.2.0/24 }; }'",
  "nft 'add set inet t k { type ipv4_addr . inet_service; flags interval; elements = { 10.1.2.0/24 . 80-90 }; }'",
  "nft 'add map inet t m { type ipv4_addr : mark; elements = { 10.1.2.3 : 7 }; }'",
  "nft 'add map inet t v { type ipv4_addr : verdict; elements = { 10.1.2.3 : goto c }; }'",
];

const query = (name: string, dump: number): Scenario => ({
  name: `list-${name}`,
  before: RULESET,
  command: "nft list ruleset",
  keep: { dump },
});

export const NFTABLES_SCENARIOS: readonly Scenario[] = [
  nft("table-add", [], "add table inet t"),
  nft("table-add-comment", [], `add table inet t { comment "hello"; }`),
  nft("table-delete", [TABLE], "delete table inet t"),
  nft("chain-add", [TABLE], `add chain inet t c { comment "hello"; }`),
  nft("chain-add-nat", [TABLE], "add chain inet t c { type nat hook postrouting priority srcnat; }"),
  nft(
    "chain-add-bridge",
    ["nft add table bridge t"],
    "add chain bridge t c { type filter hook prerouting priority -300; policy accept; }",
  ),
  nft("chain-delete", [TABLE, CHAIN], "delete chain inet t c"),
  nft("chain-flush", [TABLE, CHAIN], "flush chain inet t c"),
  nft(
    "rule-add-masquerade",
    [TABLE, CHAIN],
    `add rule inet t c ip saddr 10.1.2.3 ip daddr != 10.1.2.0/23 masquerade comment "hello"`,
  ),
  nft(
    "rule-add-set",
    [TABLE, CHAIN],
    "add rule inet t c ip6 saddr { fd00::3 } ip6 daddr != fd00::/60 counter masquerade",
  ),
  nft("rule-add-goto", [TABLE, CHAIN, "nft add chain inet t d"], "add rule inet t c goto d"),
  nft("rule-insert", [TABLE, CHAIN], "insert rule inet t c accept"),
  nft("rule-add-multicast", [TABLE, CHAIN], "add rule inet t c ip daddr 224.0.0.0/4 return"),
  nft(
    "rule-add-bridge",
    [BRIDGE, "nft add chain bridge t d"],
    `add rule bridge t c iifname "veth12345678" jump d`,
  ),
  nft("rule-add-ether", [BRIDGE], "add rule bridge t c ether saddr 02:00:00:00:00:01 return"),
  nft(
    "rule-add-vmap",
    [TABLE, CHAIN, "nft 'add map inet t v { type ipv4_addr : verdict; }'"],
    "add rule inet t c ip saddr vmap @v",
  ),
  nft(
    "rule-add-not-in-set",
    [TABLE, CHAIN, "nft 'add set inet t s { type ipv4_addr; }'"],
    "add rule inet t c ip daddr != @s drop",
  ),
  nft("rule-delete", [TABLE, CHAIN, "nft add rule inet t c accept"], "delete rule inet t c handle 2"),
  nft("set-add", [TABLE], `add set inet t s { type ipv4_addr; comment "hello"; }`),
  nft("set-add-size", [TABLE], "add set inet t s { type ether_addr; size 64; }"),
  nft("set-add-interval", [TABLE], "add set inet t s { type ipv6_addr; flags interval; }"),
  nft("set-add-concatenation", [TABLE], "add set inet t s { type ipv4_addr . inet_service; }"),
  nft(
    "set-add-concatenation-interval",
    [TABLE],
    "add set inet t s { type ipv4_addr . inet_service; flags interval; }",
  ),
  nft("map-add", [TABLE], "add map inet t m { type ipv4_addr : mark; }"),
  nft("map-add-verdict", [TABLE], "add map inet t m { type ifname : verdict; }"),
  nft("set-delete", [TABLE, "nft 'add set inet t s { type ipv4_addr; }'"], "delete set inet t s"),
  nft(
    "element-add",
    [TABLE, "nft 'add set inet t s { type ipv4_addr; }'"],
    `add element inet t s { 10.1.2.3 comment "hello" }`,
  ),
  nft(
    "element-add-interval",
    [TABLE, "nft 'add set inet t s { type ipv4_addr; flags interval; }'"],
    "add element inet t s { 10.1.2.0/24 }",
  ),
  nft(
    "element-add-concatenation",
    [TABLE, "nft 'add set inet t s { type ipv4_addr . inet_service; }'"],
    "add element inet t s { 10.1.2.3 . 80 }",
  ),
  nft(
    "element-add-concatenation-interval",
    [TABLE, "nft 'add set inet t s { type ipv4_addr . inet_service; flags interval; }'"],
    "add element inet t s { 10.1.2.0/24 . 80-90 }",
  ),
  nft(
    "element-add-map",
    [TABLE, "nft 'add map inet t m { type ipv4_addr : ipv6_addr; }'"],
    "add element inet t m { 10.1.2.3 : fd00::3 }",
  ),
  nft(
    "element-add-verdict",
    [TABLE, CHAIN, "nft 'add map inet t m { type ipv4_addr : verdict; }'"],
    "add element inet t m { 10.1.2.3 : goto c }",
  ),
  nft(
    "element-delete",
    [TABLE, "nft 'add set inet t s { type ipv4_addr; elements = { 10.1.2.3 }; }'"],
    "delete element inet t s { 10.1.2.3 }",
  ),
  iptables("", "10.1.2.0/23", "224.0.0.0/4", "10.1.2.3"),
  iptables("6", "fd00::/60", "ff00::/8", "fd00::3"),
  query("tables", messageType.getTable),
  query("chains", messageType.getChain),
  query("rules", messageType.getRule),
  query("sets", messageType.getSet),
  query("elements", messageType.getElement),
];
