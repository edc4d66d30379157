/** Environment, configuration and output: A1–A25. */
import type { Exception } from "../../engine/exceptions.ts";
import { at } from "../../engine/tree.ts";

export const FORMS: readonly Exception[] = [
  {
    row: "P10",
    cases: /^A5: /,
    breaks: /^.*: stderr is two lines: .*"CNI \S+ plugin version unknown\\nCNI protocol versions/,
  },
  {
    row: "A8",
    cases: /^A8: the plugin's own namespace \(/,
    breaks:
      /^(ADD|DEL) by \S+, override \w*: (A16: stdout is not one error object: "\{.*\}\{|A17: code is 0$|code (0|undefined) instead of 8$|does not say plugin's netns|changed: )/,
  },
  { row: "A8", cases: /^A8: the plugin's own namespace \(/, breaks: /^at the end: changed: / },
  {
    row: "P11",
    cases: /^(A6|A9): /,
    path: "error > message",
    reference: /^error reading from stdin: read \/dev\/stdin: [a-z ]+$/,
    ours: (side, { reference }) => {
      const words = String(at(reference, "error", "message")).replace(" /dev/stdin", "");
      return String(side).startsWith(`${words} (E`);
    },
  },
  {
    row: "A9",
    cases: /^A9: stdin is no JSON/,
    breaks: /^\w+, .*: does not say \/line \d, column \\d\/: error unmarshall network config: /,
  },
  { row: "P12", cases: /^A9: stdin is no object/, breaks: /^ADD, null: code 7 instead of 6$/ },
  {
    row: "A14",
    cases: /^A14: a wrong type is rejected with the key's path \(host-local\)$/,
    breaks: /^ADD, ipam\.ranges\[0\]\S*: does not say ipam\.ranges\[0\]\S*: json: cannot unmarshal/,
  },
  {
    row: "A17",
    cases: /^A16, A17: /,
    breaks: /^\d\.\d\.\d: cniVersion of the error: undefined instead of "\d\.\d\.\d"$/,
  },
  {
    row: "L1",
    cases: /^A18: codes|^A35: STATUS when (addresses are exhausted|the leases' folder)/,
    breaks: /^(not available|STATUS|STATUS, strict): an error of code [\d or]+ was due: exit code 0$/,
  },
  {
    row: "L7",
    cases: /^A18: code 11/,
    breaks: /^host-local ADD: (A16: exit code 137|code undefined instead of 11)$/,
  },
  {
    row: "A21",
    cases: /\(loopback\)$/,
    breaks:
      /^ADD, 0\.\d\.\d: A21: (dns is missing|ips\[\d\]\.version is missing|(interfaces|ips) is no key of this version|no address)$/,
  },
  {
    row: "G10",
    cases: /^A21: no address, 0\.[12]\.0: /,
    breaks:
      /^at the end: changed: (host|container > c1) > link > (cni0|veth\(c1 eth0\)|eth0): from \(none\) /,
  },
  {
    row: "G18",
    cases: /^A21, A22: the interfaces of a result/,
    breaks: /^(cni0|veth\*|eth0): mac and mtu: \{"mac":"[^"]+"\} instead of \{"mac":"[^"]+","mtu":1400\}$/,
  },
];
