/** What differs in nearly every case. */
import type { Explained } from "../explained.ts";

const everywhere = { cases: /./, everywhere: true } as const;

export const EVERYWHERE: readonly Explained[] = [
  {
    ...everywhere,
    row: "A17",
    because: "an error names the cniVersion: the reference's has none",
    difference: /^reference: .*: A17: the error has no cniVersion$/,
  },
  {
    ...everywhere,
    row: "A18",
    because: "an error has the code of its kind: the reference's plugins have 999 for all",
    difference: / > code: reference 999, ours (?!999)\d+$/,
  },
  {
    ...everywhere,
    row: "A18",
    because: "an error has the code of its kind: the reference's plugins have 999 for all",
    difference: /^reference: .*: code 999 instead of [\d or]+$/,
  },
  {
    ...everywhere,
    row: "G18",
    because: "a result of 1.1.0 tells the interfaces' mtu",
    difference: / > result > interfaces > \d > mtu: reference \(none\), ours \d+$/,
  },
  {
    ...everywhere,
    row: "L6",
    because: "an index beside the leases keeps their cost flat",
    difference: /^state: only ours: file \/var\/lib\/cni\/networks\/\.bridgehead\/(\w+\.index \(binary\))?$/,
  },
  {
    ...everywhere,
    row: "P2",
    because: "a call that takes no lease makes no directory for leases",
    difference:
      /^(reference: .*: changed: \+|state: only reference:) file \/var\/lib\/cni\/networks\/(\w+\/(lock ""|last_reserved_ip\.0 "10\.10\.0\.2")?)?$/,
  },
  {
    ...everywhere,
    row: "G5",
    because: "DEL leaves no table or chain of its own",
    difference:
      /^state: only reference: host: nft \{"(table|chain|rule)":\{"family":("bridge","(name|table)":"nat"(,"name":"PREROUTING",.*)?|"inet","(name|table)":"cni_plugins_masquerade"(,("name":"(masq_checks|postrouting)"|"chain":"postrouting").*)?)\}\}$/,
  },
];
