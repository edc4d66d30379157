/**
 * Every rule of the protocol as black-box calls, against our plugins and against the reference. Ours must keep to all
 * of them; what the reference breaks, and where the two differ, must be explained.
 */
import { join } from "node:path";
import { whyNotIsolated } from "../../test/support/isolation.ts";
import { Lane } from "../../test/support/lane.ts";
import { provideTools } from "../../test/support/tools.ts";
import { provideDebian } from "../debian.ts";
import { provideReference, REFERENCE_VERSION } from "../reference.ts";
import type { Suite, SuiteCase, SuiteContext, SuiteReport } from "../suite.ts";
import type { SpecCase } from "./case.ts";
import { CASES } from "./cases/index.ts";
import { differencesOf } from "./comparison.ts";
import { Explanations } from "./explained.ts";
import type { Report } from "./observation.ts";
import { NOT_SEEN, RULES, rulesOf } from "./rules.ts";

const WORKER = join(import.meta.dir, "worker.ts");

/** Workers of each side; the kernel has them wait half of their time. */
const LANES = 2;

const suite: Suite = {
  title: `the rules of the protocol; beside them the reference ${REFERENCE_VERSION}`,
  run,
};
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  await provideTools(
    ["bridge", "ip", "iptables-save", "ip6tables-save", "mount", "nft", "nsenter", "setpriv", "unshare"],
    context.say,
  );
  await provideDebian({ flock: "util-linux", script: "bsdutils" }, context.say);
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  const folders = [await provideReference(context.cache, context.say), context.binaries];
  const wanted = CASES.filter(
    ({ name }) => context.patterns.length === 0 || context.patterns.some((pattern) => name.includes(pattern)),
  );
  const [theirs, ours] = await Promise.all(folders.map((folder) => reportsOf(folder, wanted)));
  const explanations = new Explanations();
  const cases = wanted.map((specCase) =>
    judge(specCase, theirs?.get(specCase.name), ours?.get(specCase.name), explanations),
  );
  const isWhole = wanted.length === CASES.length;
  return {
    cases: [...cases, ...uncovered(), ...(isWhole ? explanations.unused() : [])],
    summary: [
      ...explanations.summary(),
      ...NOT_SEEN.map(({ rule, part, because }) => `not seen from outside: ${rule}, ${part}: ${because}`),
    ],
  };
}

/** What one side did, by the name of the case. */
async function reportsOf(binaries: string, wanted: readonly SpecCase[]): Promise<Map<string, Report>> {
  const reports = new Map<string, Report>();
  const left = [...wanted].sort((a, b) => Number(b.slow) - Number(a.slow));
  const lane = async () => {
    using side = new Lane<Report>(WORKER, [binaries], [binaries]);
    for (let next = left.shift(); next !== undefined; next = left.shift())
      reports.set(next.name, await side.ask(next.name));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return reports;
}

/** The row of the table for a case. */
export function judge(
  specCase: SpecCase,
  theirs: Report | undefined,
  ours: Report | undefined,
  explanations: Explanations,
): SuiteCase {
  const { name } = specCase;
  if (theirs === undefined || ours === undefined || "trouble" in theirs || "trouble" in ours) {
    const sides = Object.entries({ reference: theirs, ours });
    const problems = sides.flatMap(([side, report]) =>
      report === undefined || "trouble" in report ? [`${side}: ${report?.trouble ?? "was not run"}`] : [],
    );
    return { name, verdict: "FAIL", compared: "", problems };
  }
  const { entries, unexplained } = explanations.explain(name, differencesOf(specCase, theirs, ours));
  const told = [
    ...new Set(entries.map(({ row, because, everywhere }) => (everywhere ? row : `${row}: ${because}`))),
  ];
  const isPass = entries.every(({ everywhere }) => everywhere) && unexplained.length === 0;
  const reference = `${isPass ? "pass" : "differs"}${told.length === 0 ? "" : ` (${told.sort().join("; ")})`}`;
  const problems = [...ours.problems.map(({ text }) => `ours: ${text}`), ...unexplained];
  const calls = Object.keys(ours.facts).length;
  return {
    name,
    verdict: problems.length === 0 ? "pass" : "FAIL",
    compared: `${String(calls).padStart(3)} calls  ours: ${ours.problems.length === 0 ? "pass" : "FAIL"}  reference: ${reference}`,
    problems,
  };
}

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
