/**
 * Runs every case against our plugins and against the reference, each side in identical scratch hosts, and compares
 * field by field what they print and what they leave behind.
 */
import { whyNotIsolated } from "../../test/support/isolation.ts";
import { provideTools } from "../../test/support/tools.ts";
import { provideReference, REFERENCE_VERSION } from "../reference.ts";
import type { Suite, SuiteCase, SuiteContext, SuiteReport } from "../suite.ts";
import type { ParityCase } from "./case.ts";
import { CASES } from "./cases/index.ts";
import { compare, factsOf } from "./comparison.ts";
import { Explanations } from "./explanations.ts";
import type { CaseObservation } from "./observation.ts";
import { Side } from "./side.ts";

/** Pairs of workers; each waits for the kernel half of its time. */
const LANES = 2;

const suite: Suite = { title: `what the reference ${REFERENCE_VERSION} does, on identical hosts`, run };
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  await provideTools(["bridge", "ip", "ip6tables-save", "iptables-save", "mount", "nft", "nsenter", "unshare"], context.say);
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  const reference = await provideReference(context.cache, context.say);
  const wanted = CASES.filter(({ name }) => context.patterns.length === 0 || context.patterns.some((pattern) => name.includes(pattern)));
  const explanations = new Explanations();
  const rows = new Map<string, SuiteCase>();
  const left = [...wanted];
  const lane = async () => {
    using theirs = new Side(reference);
    using ours = new Side(context.binaries);
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [a, b] = await Promise.all([theirs.take(next), ours.take(next)]);
      const trouble = [a, b].flatMap((answer) => ("trouble" in answer ? [answer.trouble] : []));
      rows.set(
        next.name,
        "trouble" in a || "trouble" in b
          ? { name: next.name, verdict: "FAIL", compared: "", problems: trouble }
          : judge(next, a, b, explanations),
      );
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const cases = wanted.flatMap(({ name }) => rows.get(name) ?? []);
  const isWhole = wanted.length === CASES.length;
  return { cases: [...cases, ...(isWhole ? explanations.unused() : [])], summary: explanations.summary() };
}

function judge(parityCase: ParityCase, reference: CaseObservation, ours: CaseObservation, explanations: Explanations): SuiteCase {
  const steps = compare(parityCase, reference, ours);
  const { problems, rows: found } = explanations.explain(steps);
  const rows = new Set(found);
  const facts = steps.reduce((sum, step) => sum + factsOf(step), 0);
  const explained = rows.size === 0 ? "" : `; differs by ${[...rows].sort().join(", ")}`;
  return {
    name: parityCase.name,
    verdict: problems.length === 0 ? "pass" : "FAIL",
    compared: `${parityCase.steps.length} steps, ${facts} facts${explained}`,
    problems,
  };
}
