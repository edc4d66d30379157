/**
 * Every rule of the protocol as black-box calls, against our plugins and against the reference. Ours must keep to all
 * of them; what the reference breaks, and where the two differ, must be explained.
 */
import { join } from "node:path";
import { provideTools } from "../../test/support/tools.ts";
import { provideDebian } from "../debian.ts";
import { runDifferential } from "../engine/run.ts";
import { PARITY_EXCEPTIONS } from "../parity/declared/index.ts";
import { REFERENCE_VERSION } from "../reference.ts";
import type { Suite, SuiteCase, SuiteContext } from "../suite.ts";
import { CASES } from "./cases/index.ts";
import { TABLE } from "./declared/index.ts";
import { NOT_SEEN, RULES, rulesOf } from "./rules.ts";

const suite: Suite = {
  title: `the rules of the protocol; beside them the reference ${REFERENCE_VERSION}`,
  run: async (context: SuiteContext) => {
    await provideTools(["setpriv"], context.say);
    await provideDebian({ flock: "util-linux", script: "bsdutils" }, context.say);
    const path = join(import.meta.dir, "cases/index.ts");
    const declared = { exceptions: TABLE, shared: PARITY_EXCEPTIONS };
    const report = await runDifferential({ path, cases: CASES, declared }, context);
    const unseen = NOT_SEEN.map(
      ({ rule, part, because }) => `not seen from outside: ${rule}, ${part}: ${because}`,
    );
    return { cases: [...report.cases, ...uncovered()], summary: [...report.summary, ...unseen] };
  },
};
export default suite;

/** Rules that no case is about. */
function uncovered(): SuiteCase[] {
  const covered = new Set(CASES.flatMap(({ name }) => rulesOf(name)));
  return RULES.filter((rule) => !covered.has(rule)).map((rule) => ({
    name: `${rule}: no case`,
    verdict: "FAIL",
    compared: "",
    problems: ["a rule without a case: write one, or say in rules.ts why it can't be seen"],
  }));
}
