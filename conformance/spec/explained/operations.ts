/** STATUS, GC, delegation and CNI_ARGS: A35–A52. */
import type { Explained } from "../explained.ts";

export const OPERATIONS: readonly Explained[] = [
  {
    row: "G2",
    because: "STATUS only asks the IPAM",
    cases: /^A35: STATUS when (the bridge's name is taken|there is no iptables)/,
    difference: /^reference: STATUS: an error of code 50 or 51 was due: exit code 0$/,
  },
  {
    row: "G1",
    because: "the reference's bridge has no GC",
    cases: /^A37, A39: GC, /,
    difference: /^reference: what is left: \{("c\d":\[true,true,true\],?){3}\} instead of /,
  },
  {
    row: "L1",
    because: "the reference's host-local has no GC",
    cases: /^A37: GC frees leases/,
    difference: /^reference: leases: \["10\.10\.0\.2","10\.10\.0\.3","10\.10\.0\.4"\] instead of /,
  },
  {
    row: "G1",
    because: "the reference's bridge has no GC",
    cases: /^A37, A38: GC is forwarded/,
    difference:
      /^reference: (calls of the IPAM: \[\] instead of|stdin of the IPAM: "" instead of|GC that fails: an error of code 119 was due: exit code 0|eth0 of c2 is gone: true instead of false)/,
  },
  {
    row: "A39",
    because: "GC without a list succeeds: there is no GC",
    cases: /^A39: /,
    difference: /^reference: GC, [a-z ]+: an error of code (7|6 or 7) was due: exit code 0$/,
  },
  {
    row: "A41",
    because:
      "calls at the same time get in each other's way: first ADDs on a new bridge, DELs of iptables chains",
    cases: /^A41: .*\(bridge\)$/,
    difference:
      /^reference: ((ADD|CHECK|DEL) p\d: success was due: |(different addresses|leases|leases at the end|veths at the end): )/,
    chance: true,
  },
  {
    row: "G1",
    because: "the reference's bridge has no GC",
    cases: /^A42: the delegate gets|^A49: /,
    difference: /^reference: GC: (environment: \{\}|stdin: ""|variables: \{\}) instead of /,
  },
  {
    row: "G7",
    because: "a failed ADD leaves the bridge that it made",
    cases: /^A43: the delegate cannot be found/,
    difference: /^reference: at the end: changed: \+ host: link cni0 bridge mtu 1500 UP$/,
  },
  {
    row: "G9",
    because: "no DEL of the IPAM after its failed ADD",
    cases: /^A45: /,
    difference:
      /^reference: [a-zA-Z ]+: (calls of the IPAM: \[("ADD")?\] instead of \["ADD","DEL"\]|stdin of DEL: "" instead of )/,
  },
  {
    row: "G7",
    because: "a failed ADD leaves its links",
    cases: /^A45: /,
    difference: /^reference: [a-zA-Z ]+: changed: \+ (host|c1): link (cni0 bridge|veth\* veth|eth0 veth) /,
  },
  {
    row: "A46",
    because: "the IPAM's stderr is lost when it fails",
    cases: /^A46: /,
    difference: /^reference: (STATUS|DEL|ADD), failure: the remark is on stderr$/,
  },
  {
    row: "G1",
    because: "the reference's bridge has no GC",
    cases: /^A46: /,
    difference: /^reference: GC, (success|failure): (the remark is on stderr|exit code: 0 instead of 1)$/,
  },
  {
    row: "A47",
    because: "the error of an IPAM that printed none has code 0",
    cases: /^A47: /,
    difference:
      /^reference: (ADD|CHECK|DEL|STATUS), (only stderr|only an exit code|no JSON|a signal): (A17: code is 0|code 0 instead of 999)$/,
  },
  {
    row: "G1",
    because: "the reference's bridge has no GC",
    cases: /^A47: /,
    difference: /^reference: GC, [a-zA-Z ]+: an error of code \d+ was due: exit code 0$/,
  },
  {
    row: "A48",
    because: "the second try of a busy IPAM always fails",
    cases: /^A48: a delegate that is being written/,
    difference: /^reference: bridge ADD: (A17: code is 0$|success was due: .*exec: already started)/,
  },
  {
    row: "A51",
    because: "bridge and host-local each refuse the other's CNI_ARGS",
    cases: /^A51: (IP and MAC reach both plugins|MAC is bridge's)/,
    difference:
      /^reference: ((ADD|DEL), "\S+": success was due: .*ARGS: unknown args \[\\"(IP|MAC)=|(IP: \[\]|both: \{"ips":\[\]\}) instead of )/,
  },
  {
    row: "L10",
    because: "CNI_ARGS IP is merged with args.cni.ips",
    cases: /^A52: args\.cni\.ips beats IP/,
    difference:
      /^reference: (ADD, "\S+": success was due: .*failed to allocate all requested IPs: 10\.10\.0\.[56]0|address: \[\] instead of )/,
  },
  {
    row: "A36",
    because: "an IPAM that is older than STATUS counts as one that is not ready",
    cases: /^A36, A38: STATUS and GC of an IPAM that does not know them/,
    difference: /^reference: STATUS, (an error object|words): (A17: code is 0$|success was due: exit code 1)/,
  },
];
