/** STATUS, GC, delegation and CNI_ARGS: A35–A52. */
import type { Exception } from "../../engine/exceptions.ts";

export const OPERATIONS: readonly Exception[] = [
  {
    row: "G2",
    cases: /^A35: STATUS when (the bridge's name is taken|there is no iptables)/,
    breaks: /^STATUS: an error of code 50 or 51 was due: exit code 0$/,
  },
  {
    row: "G1",
    cases: /^A37, A39: GC, /,
    breaks: /^what is left: \{("c\d":\[true,true,true\],?){3}\} instead of /,
  },
  {
    row: "L1",
    cases: /^A37: GC frees leases/,
    breaks: /^leases: \["10\.10\.0\.2","10\.10\.0\.3","10\.10\.0\.4"\] instead of /,
  },
  {
    row: "G1",
    cases: /^A37, A38: GC is forwarded/,
    breaks:
      /^(calls of the IPAM: \[\] instead of|stdin of the IPAM: "" instead of|GC that fails: an error of code 119 was due: exit code 0|eth0 of c2 is gone: true instead of false)/,
  },
  { row: "A39", cases: /^A39: /, breaks: /^GC, [a-z ]+: an error of code (7|6 or 7) was due: exit code 0$/ },
  {
    row: "A41",
    cases: /^A41: .*\(bridge\)$/,
    breaks:
      /^((ADD|CHECK|DEL) p\d: success was due: |(different addresses|leases|leases at the end|veths at the end): )/,
    chance: true,
  },
  {
    row: "G1",
    cases: /^A42: the delegate gets|^A49: /,
    breaks: /^GC: (environment: \{\}|stdin: ""|variables: \{\}) instead of /,
  },
  {
    row: "G7",
    cases: /^A43: the delegate cannot be found/,
    breaks: /^at the end: changed: host > link > cni0: from \(none\) /,
  },
  {
    row: "G9",
    cases: /^A45: /,
    breaks:
      /^[a-zA-Z ]+: (calls of the IPAM: \[("ADD")?\] instead of \["ADD","DEL"\]|stdin of DEL: "" instead of )/,
  },
  {
    row: "G7",
    cases: /^A45: /,
    breaks:
      /^[a-zA-Z ]+: changed: (host|container > c1) > link > (cni0|veth\(c1 eth0\)|eth0): from \(none\) /,
  },
  { row: "A46", cases: /^A46: /, breaks: /^(STATUS|DEL|ADD), failure: the remark is on stderr$/ },
  {
    row: "G1",
    cases: /^A46: /,
    breaks: /^GC, (success|failure): (the remark is on stderr|exit code: 0 instead of 1)$/,
  },
  {
    row: "A47",
    cases: /^A47: /,
    breaks:
      /^(ADD|CHECK|DEL|STATUS), (only stderr|only an exit code|no JSON|a signal): (A17: code is 0|code 0 instead of 999)$/,
  },
  { row: "G1", cases: /^A47: /, breaks: /^GC, [a-zA-Z ]+: an error of code \d+ was due: exit code 0$/ },
  {
    row: "A48",
    cases: /^A48: a delegate that is being written/,
    breaks: /^bridge ADD: (A17: code is 0$|success was due: .*exec: already started)/,
  },
  {
    row: "A51",
    cases: /^A51: (IP and MAC reach both plugins|MAC is bridge's)/,
    breaks:
      /^((ADD|DEL), "\S+": success was due: .*ARGS: unknown args \[\\"(IP|MAC)=|(IP: \[\]|both: \{"ips":\[\]\}) instead of )/,
  },
  {
    row: "L10",
    cases: /^A52: args\.cni\.ips beats IP/,
    breaks:
      /^(ADD, "\S+": success was due: .*failed to allocate all requested IPs: 10\.10\.0\.[56]0|address: \[\] instead of )/,
  },
  {
    row: "A36",
    cases: /^A36, A38: STATUS and GC of an IPAM that does not know them/,
    breaks: /^STATUS, (an error object|words): (A17: code is 0$|success was due: exit code 1)/,
  },
];
