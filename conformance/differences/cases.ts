/** Each row as a case: both sides, each on a host as fresh as the other's. */
import { restoreHost } from "../../test/support/scratch-host.ts";
import type { Scene, ScratchCase } from "../scratch-lanes.ts";
import type { Difference, Facts } from "./difference.ts";
import { DIFFERENCES } from "./differences.ts";
import { Side, type Who } from "./side.ts";

const SIDES = { go: "the Go plugins", ours: "Bridgehead" } as const;

async function measured(difference: Difference, who: Who, { host, programs }: Scene): Promise<Facts> {
  const before = await host.state();
  try {
    return await difference.measure(new Side(who, host, programs[who === "go" ? "reference" : "ours"]));
  } finally {
    await host.removeNamespaces();
    // What a side leaves is often the difference itself.
    await restoreHost(before);
  }
}

const caseOf = (difference: Difference): ScratchCase => ({
  name: difference.what,
  compared: "both sides",
  keeps: [],
  run: async (scene) => {
    const { judge } = scene;
    const cells: string[] = [];
    for (const who of ["go", "ours"] as const) {
      const facts = await measured(difference, who, scene);
      judge.same(`with ${SIDES[who]}`, facts, difference[who]);
      cells.push(inWords(facts));
    }
    judge.holds("the two differ", cells[0] !== cells[1], cells);
    judge.note([difference.what, ...cells]);
  },
});

const inWords = (facts: Facts): string =>
  Object.entries(facts)
    .map(([what, value]) => `${what}: ${Array.isArray(value) ? value.join(", ") || "none" : value}`)
    .join("; ")
    .replaceAll("|", "\\|")
    .replaceAll("\n", " ");

export const CASES: readonly ScratchCase[] = DIFFERENCES.map(caseOf);
