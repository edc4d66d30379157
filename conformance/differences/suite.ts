/** README's table of differences, row by row: what each side does is measured, and must be what the row says. */
import { join } from "node:path";
import { runDifferential } from "../engine/run.ts";
import { REFERENCE_VERSION } from "../reference.ts";
import type { Suite } from "../suite.ts";
import { CASES } from "./cases.ts";

const suite: Suite = {
  title: `README's differences from the Go plugins ${REFERENCE_VERSION}, measured side by side`,
  run: async (context) => {
    const path = join(import.meta.dir, "cases.ts");
    const declared = { exceptions: [], shared: [] };
    const { cases, notes } = await runDifferential({ path, cases: CASES, declared }, context);
    const rows = CASES.flatMap(({ name }) => {
      const { reference, ours } = notes.get(name) ?? {};
      return ours === undefined ? [] : `| ${name} | ${reference?.join()} | ${ours.join()} |`;
    });
    const head = ["", "| what | the Go plugins, measured | Bridgehead, measured |", "|---|---|---|"];
    return { cases, summary: [...head, ...rows, ""] };
  },
};
export default suite;
