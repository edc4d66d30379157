/** The rules of the protocol, and what of them cannot be seen from outside. */
import { RULES as ALL } from "../engine/rules.ts";

/** Each must be covered by a case. */
export const RULES: readonly string[] = [...ALL.keys()].filter((number) => number.startsWith("A"));

/** Parts of rules that no case can show, and why. */
export const NOT_SEEN: readonly { readonly rule: string; readonly part: string; readonly because: string }[] =
  [
    {
      rule: "A18",
      part: "codes 2 (unsupported field) and 3 (unknown container)",
      because:
        "no call of these three plugins ends with them: a wrong value is code 7, an unknown container is success",
    },
    {
      rule: "A21",
      part: "socketPath and pciID of an interface",
      because:
        "no interface that these plugins make has one; A27's cases show that those of a prevResult come out",
    },
    {
      rule: "A28, A33",
      part: "the interface of a VLAN's gateway",
      because: "it needs a kernel that filters VLANs: npm run test:vm has one",
    },
    { rule: "A41", part: "no GC beside ADD and DEL", because: "this is a promise of the runtime" },
    { rule: "A43", part: "the error for an empty name", because: "to bridge an IPAM without a name is none" },
  ];

/** The rules that a case's name begins with, as in "A1, A17: …". */
export const rulesOf = (name: string): string[] =>
  (/^(A\d+(?:, A\d+)*): /.exec(name)?.[1] ?? "").split(", ").filter((rule) => rule !== "");
