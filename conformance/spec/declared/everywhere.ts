/** What differs in nearly every case. */
import type { Exception } from "../../engine/exceptions.ts";
import { ABSENT } from "../../engine/tree.ts";
import { onlyOwnRules, RULES } from "../../parity/declared/leftovers.ts";

const VERSION = { row: "A17" };
const CODE = { row: "A18" };

export const EVERYWHERE: readonly Exception[] = [
  { ...VERSION, breaks: /: A17: the error has no cniVersion$/ },
  { ...CODE, path: "error > code", reference: 999, ours: (side) => side !== ABSENT && side !== 999 },
  { row: "G18", path: /^stdout > interfaces > \d > mtu$/, ours: (side) => Number(side) > 0 },
  { ...CODE, breaks: /: code 999 instead of [\d or]+$/ },
  {
    row: "P2",
    breaks:
      /: changed: file > \/var\/lib\/cni\/networks(\/net(\/lock|\/last_reserved_ip\.0)?)?: from \(none\)/,
  },
  { row: "G5", path: RULES, reference: onlyOwnRules, when: ({ step }) => step.label === "at the end" },
];
