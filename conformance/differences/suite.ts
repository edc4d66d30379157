/** README's table of differences, row by row: what each side does is measured, and must be what the row says. */
import { join } from "node:path";
import { REFERENCE_VERSION } from "../reference.ts";
import { runInLanes } from "../scratch-lanes.ts";
import type { Suite } from "../suite.ts";
import { CASES } from "./cases.ts";
import { formatTable } from "./difference.ts";

const suite: Suite = {
  title: `README's differences from the Go plugins ${REFERENCE_VERSION}, measured side by side`,
  run: async (context) => {
    const report = await runInLanes(context, join(import.meta.dir, "cases.ts"), CASES);
    const heading = ["what", "the Go plugins, measured", "Bridgehead, measured"];
    return { cases: report.cases, summary: ["", ...formatTable([heading, ...report.notes]), ""] };
  },
};
export default suite;
