/** An attachment's life and CHECK: A26–A34. */
import type { Exception } from "../../engine/exceptions.ts";
import { there } from "../../engine/tree.ts";
import { PAIR } from "../../parity/declared/leftovers.ts";

/** Leases, host veths and rules of the attachment, and nothing else. */
const OWN_THINGS =
  /^left: \[("(veth\*|10\.10\.0\.\d+|fd00:10::\d|[^"\\]*(\\"[^"\\]*|\\\\)*(id-c\d|CNI-[0-9a-f]{24}|cni-br-iface-id)([^"\\]|\\.)*)",?)+\] instead of \[\]$/;

export const ATTACHMENTS: readonly Exception[] = [
  {
    row: "G7",
    cases: /^A26: the interface is there already: (bridge|veth)/,
    breaks: /^afterwards: changed: host > link > cni0: from \(none\) to /,
  },
  {
    row: "G11",
    cases: /^A27: .*\(bridge\)$/,
    breaks:
      /^((interfaces?|address(es)?|routes|dns) of before|its own address refers to its own interface): .* instead of /,
  },
  {
    row: "G5",
    cases: /^A29: DEL after somebody removed the container's interface, iptables/,
    breaks: OWN_THINGS,
  },
  {
    row: "G15",
    cases: /^A30: DEL with the path a plain file/,
    breaks: /^bridge DEL: success was due: .*unknown FS magic on/,
  },
  { row: "G5", cases: /^A30: DEL with /, breaks: OWN_THINGS },
  { row: "A30", cases: /^A30: IPAM's DEL/, path: PAIR, reference: there },
  { row: "G14", cases: /^A31: DEL goes on past an error of the IPAM/, breaks: OWN_THINGS },
  {
    row: "G14",
    cases: /^A31: DEL reports every error/,
    breaks: /^the chain's error as well: "the pool is away"$/,
  },
  {
    row: "G14",
    cases: /^A31: the address of an interface that stays/,
    path: "error > message",
    reference: 'failed to delete "eth0": operation not permitted',
    ours: /operation not permitted/,
  },
  {
    row: "A32",
    cases: /^A32: CHECK tolerates .*: an interface and its address in the result/,
    breaks: /^bridge CHECK: success was due: .*Failed to match addr 192\.0\.2\.8\/24 on interface eth0/,
  },
  {
    row: "G12",
    cases: /^A3[34]: .*layer 2/,
    breaks: /^(bridge CHECK|CHECK(| again), \d\.\d\.\d): success was due: .*"no plugin name provided"/,
  },
  {
    row: "G17",
    cases:
      /^A33: CHECK fails after a loss: (the bridge is down|the host's end is down|the gateway's address|the mtu of the host's end|the spoof check|masquerade by (iptables|nftables)|isolation|hairpin mode) /,
    breaks: /^CHECK after the loss: an error of code 7 or 8 or 999 was due: exit code 0$/,
  },
];
