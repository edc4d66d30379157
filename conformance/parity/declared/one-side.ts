/** Rules, chains and tables that only one side has. */
import type { ComparedStep } from "../../engine/comparison.ts";
import type { Deviation } from "../../engine/exceptions.ts";
import { isTree, type Side, there } from "../../engine/tree.ts";

/** Whether a branch holds nothing but what matches. */
const holdsOnly = (side: Side, names: RegExp): boolean =>
  !isTree(side) || Object.entries(side).every(([name, item]) => names.test(name) && holdsOnly(item, names));

type Entry = Pick<Deviation, "row" | "because" | "cases" | "when">;

/** Differences where the other side has nothing, and this one only what is called so: of tables, of chains, rules. */
export function onlyOf(side: "reference" | "ours", names: RegExp, entry: Entry): Deviation {
  const whole = new RegExp(`^(?:${names.source})$`);
  return {
    ...entry,
    path: new RegExp(`^host > (iptables|ip6tables|nft)( > (${names.source}))*$`),
    [side]: (found: Side) => there(found) && holdsOnly(found, whole),
  };
}

/** Whether the step's label matches. */
export const at =
  (labels: RegExp) =>
  ({ step }: ComparedStep): boolean =>
    labels.test(step.label);
