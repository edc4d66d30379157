/** README's table of differences, row by row: what each side does is measured, and must be what the row says. */
import { join } from "node:path";
import { provideTools } from "../../test/support/tools.ts";
import { runDifferential } from "../engine/run.ts";
import { REFERENCE_VERSION } from "../reference.ts";
import type { Suite } from "../suite.ts";
import { CASES } from "./cases.ts";

const suite: Suite = {
  title: `README's differences from the Go plugins ${REFERENCE_VERSION}, measured side by side`,
  run: async (context) => {
    await provideTools(["ping", "strace", "sysctl"], context.say);
    const path = join(import.meta.dir, "cases.ts");
    const declared = { exceptions: [], shared: [] };
    const { cases, notes } = await runDifferential({ path, cases: CASES, declared }, context);
    const rows = [...notes].map(
      ([what, { reference, ours }]) => `| ${what} | ${reference.join()} | ${ours.join()} |`,
    );
    const head = ["", "| what | the Go plugins, measured | Bridgehead, measured |", "|---|---|---|"];
    return { cases, summary: [...head, ...rows, ""] };
  },
};
export default suite;
