/** Environment, configuration and output: A1–A25. */
import type { Explained } from "../explained.ts";

export const FORMS: readonly Explained[] = [
  {
    row: "S1",
    because: "the reference as `go install` builds it does not know its version",
    cases: /^A5: /,
    difference:
      /^reference: .*: stderr is two lines: .*"CNI \S+ plugin version unknown\\nCNI protocol versions/,
  },
  {
    row: "A8",
    because: "the plugin's own namespace is judged after everything is done and printed",
    cases: /^A8: the plugin's own namespace \(/,
    difference:
      /^reference: (ADD|DEL) by \S+, override \w*: (A16: stdout is not one error object: "\{.*\}\{|A17: code is 0$|code (0|undefined) instead of 8$|does not say plugin's netns|changed: )/,
  },
  {
    row: "A8",
    because: "the plugin's own namespace is judged after everything is done and printed",
    cases: /^A8: the plugin's own namespace \(/,
    difference: /^reference: at the end: changed: /,
  },
  {
    row: "S2",
    because: "the same error of the kernel, with its name in place of the file's",
    cases: /^(A6|A9): /,
    difference:
      /> message: reference "error reading from stdin: read \/dev\/stdin: ([a-z ]+)", ours "error reading from stdin: read: \1 \(E[A-Z]+\)"$/,
  },
  {
    row: "A9",
    because: "the reference does not say where the fault is",
    cases: /^A9: stdin is no JSON/,
    difference:
      /^reference: \w+, .*: does not say \/line \d, column \\d\/: error unmarshall network config: /,
  },
  {
    row: "S3",
    because: "null is no object, not an object without a name",
    cases: /^A9: stdin is no object/,
    difference: /^reference: ADD, null: code 7 instead of 6$/,
  },
  {
    row: "A14",
    because: "the reference does not tell which item of a list is wrong",
    cases: /^A14: a wrong type is rejected with the key's path \(host-local\)$/,
    difference:
      /^reference: ADD, ipam\.ranges\[0\]\S*: does not say ipam\.ranges\[0\]\S*: json: cannot unmarshal/,
  },
  {
    row: "A17",
    because: "an error names the cniVersion: the reference's has none",
    cases: /^A16, A17: /,
    difference: /^reference: \d\.\d\.\d: cniVersion of the error: undefined instead of "\d\.\d\.\d"$/,
  },
  {
    row: "L1",
    because: "the reference's host-local has no STATUS",
    cases: /^A18: codes|^A35: STATUS when (addresses are exhausted|the leases' folder)/,
    difference:
      /^reference: (not available|STATUS|STATUS, strict): an error of code [\d or]+ was due: exit code 0$/,
  },
  {
    row: "L7",
    because: "the reference waits for the lock for ever",
    cases: /^A18: code 11/,
    difference: /^reference: host-local ADD: (A16: exit code 137|code undefined instead of 11)$/,
  },
  {
    row: "A21",
    because: "loopback's result has the form of 1.0.0 in every version",
    cases: /\(loopback\)$/,
    difference:
      /^reference: ADD, 0\.\d\.\d: A21: (dns is missing|ips\[\d\]\.version is missing|(interfaces|ips) is no key of this version|no address)$/,
  },
  {
    row: "G10",
    because: "what cannot be converted is noticed after everything is done",
    cases: /^A21: no address, 0\.[12]\.0: /,
    difference: /^reference: at the end: changed: \+ (host|c1): link (cni0|veth\*|eth0) /,
  },
  {
    row: "G18",
    because: "a result of 1.1.0 tells the interfaces' mtu",
    cases: /^A21, A22: the interfaces of a result/,
    difference:
      /^reference: (cni0|veth\*|eth0): mac and mtu: \{"mac":"[^"]+"\} instead of \{"mac":"[^"]+","mtu":1400\}$/,
  },
];
