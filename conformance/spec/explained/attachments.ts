/** An attachment's life and CHECK: A26–A34. */
import type { Explained } from "../explained.ts";

/** Leases, host veths and rules of the attachment, and nothing else. */
const OWN_THINGS =
  /^reference: left: \[("(veth\*|10\.10\.0\.\d+|fd00:10::\d|[^"\\]*(\\"[^"\\]*|\\\\)*(id-c\d|CNI-[0-9a-f]{24}|cni-br-iface-id)([^"\\]|\\.)*)",?)+\] instead of \[\]$/;

export const ATTACHMENTS: readonly Explained[] = [
  {
    row: "G7",
    because: "a failed ADD leaves the bridge that it made",
    cases: /^A26: the interface is there already: (bridge|veth)/,
    difference: /^reference: what changed: \["host: link cni0 bridge mtu 1500 UP"\] instead of \[\]$/,
  },
  {
    row: "G11",
    because: "prevResult is ignored on ADD",
    cases: /^A27: .*\(bridge\)$/,
    difference:
      /^reference: ((interfaces?|address(es)?|routes|dns) of before|its own address refers to its own interface): .* instead of /,
  },
  {
    row: "G5",
    because: "iptables rules stay when the interface has gone",
    cases: /^A29: DEL after somebody removed the container's interface, iptables/,
    difference: OWN_THINGS,
  },
  {
    row: "G15",
    because: "DEL fails when the namespace's path is a plain file",
    cases: /^A30: DEL with the path a plain file/,
    difference: /^reference: bridge DEL: success was due: .*unknown FS magic on/,
  },
  {
    row: "G5",
    because: "without a namespace DEL leaves the rules, and the pair to the kernel",
    cases: /^A30: DEL with /,
    difference: OWN_THINGS,
  },
  {
    row: "A30",
    because: "without a namespace DEL leaves the pair to the kernel",
    cases: /^A30: IPAM's DEL/,
    difference:
      /^state: only reference: (host: link veth\* veth mtu 1500 UP port of cni0|c1: (link eth0 veth mtu 1500 UP|address 10\.10\.0\.77\/24 on eth0|route 10\.10\.0\.0\/24 via nothing dev eth0 .*))$/,
  },
  {
    row: "G14",
    because: "DEL stops at the first error",
    cases: /^A31: DEL goes on past an error of the IPAM/,
    difference: OWN_THINGS,
  },
  {
    row: "G14",
    because: "DEL stops at the first error",
    cases: /^A31: DEL reports every error/,
    difference: /^reference: the chain's error as well: "the pool is away"$/,
  },
  {
    row: "G14",
    because: "DEL stops at the first error",
    cases: /^A31: the address of an interface that stays/,
    difference:
      /^bridge DEL > message: reference "failed to delete \\"eth0\\": operation not permitted", ours ".*operation not permitted/,
  },
  {
    row: "G5",
    because: "the source stands in a set that has the attachment's name, by which DEL finds the rule at once",
    cases: /^A32: /,
    difference:
      /^state: only (reference|ours): host: nft \{"rule":\{"family":"inet","table":"cni_plugins_masquerade","chain":"masq_checks",.*"masquerade":null\}\]\}\}$/,
  },
  {
    row: "A32",
    because: "addresses of interfaces that later plugins made are taken for its own",
    cases: /^A32: CHECK tolerates .*: an interface and its address in the result/,
    difference:
      /^reference: bridge CHECK: success was due: .*Failed to match addr 192\.0\.2\.8\/24 on interface eth0/,
  },
  {
    row: "G12",
    because: "CHECK on a layer 2 network always fails",
    cases: /^A3[34]: .*layer 2/,
    difference:
      /^reference: (bridge CHECK|CHECK(| again), \d\.\d\.\d): success was due: .*"no plugin name provided"/,
  },
  {
    row: "G17",
    because: "CHECK does not see the loss",
    cases:
      /^A33: CHECK fails after a loss: (the bridge is down|the host's end is down|the gateway's address|the mtu of the host's end|the spoof check|masquerade by (iptables|nftables)|isolation|hairpin mode) /,
    difference: /^reference: CHECK after the loss: an error of code 7 or 8 or 999 was due: exit code 0$/,
  },
];
