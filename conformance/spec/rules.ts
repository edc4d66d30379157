/** The rules of the protocol's specs by number, and what of them cannot be seen from outside. */

const numbers = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `A${first + index}`);

/** Each must be covered by a case. The specs leave some numbers out. */
export const RULES: readonly string[] = [
  ...numbers(1, 12),
  ...numbers(14, 22),
  ...numbers(25, 39),
  ...numbers(41, 43),
  ...numbers(45, 52),
];

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
    {
      rule: "A41",
      part: "no GC beside ADD and DEL",
      because: "this is a promise of the runtime",
    },
    {
      rule: "A43",
      part: "the error for an empty name",
      because: "to bridge an IPAM without a name is none",
    },
  ];

/** The rules that a case's name begins with, as in "A1, A17: …". */
export const rulesOf = (name: string): string[] =>
  (/^(A\d+(?:, A\d+)*): /.exec(name)?.[1] ?? "").split(", ").filter((rule) => rule !== "");
