/**
 * Runs every case against our plugins and against the reference, each side in identical scratch hosts, and compares
 * field by field what they print and what they leave behind.
 */
import { join } from "node:path";
import { whyNotIsolated } from "../../test/support/isolation.ts";
import { Lane } from "../../test/support/lane.ts";
import { provideTools } from "../../test/support/tools.ts";
import { provideReference, REFERENCE_VERSION } from "../reference.ts";
import type { Suite, SuiteCase, SuiteContext, SuiteReport } from "../suite.ts";
import type { ParityCase } from "./case.ts";
import { CASES } from "./cases/index.ts";
import { compare, factsOf } from "./comparison.ts";
import { LIKES, type Like } from "./exceptions/likes.ts";
import { Explanations } from "./explanations.ts";
import type { Answer, CaseObservation } from "./observation.ts";

const WORKER = join(import.meta.dir, "worker.ts");

/** Pairs of workers; each waits for the kernel half of its time. */
const LANES = 2;

const suite: Suite = { title: `what the reference ${REFERENCE_VERSION} does, on identical hosts`, run };
export default suite;

async function run(context: SuiteContext): Promise<SuiteReport> {
  await provideTools(
    ["bridge", "ip", "ip6tables-save", "iptables-save", "mount", "nft", "nsenter", "unshare"],
    context.say,
  );
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  const reference = await provideReference(context.cache, context.say);
  const wanted = CASES.filter(
    ({ name }) => context.patterns.length === 0 || context.patterns.some((pattern) => name.includes(pattern)),
  );
  const explanations = new Explanations();
  const rows = new Map<string, SuiteCase>();
  const left = [...wanted];
  const secondLooks: string[] = [];
  const lane = async () => {
    using theirs = new Lane<Answer>(WORKER, [reference], [reference]);
    using ours = new Lane<Answer>(WORKER, [context.binaries], [context.binaries]);
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const look = async (parityCase: ParityCase): Promise<Answers> => {
        const [a, b] = await Promise.all([theirs.ask(parityCase.name), ours.ask(parityCase.name)]);
        const like = LIKES[parityCase.name];
        const instead = like === undefined ? undefined : await theirs.ask(caseNamed(like.as).name);
        return { reference: a, ours: b, instead };
      };
      const first = judge(next, await look(next), explanations);
      // The kernel does some things in its own time; what differs for a reason does so again.
      const second = first.verdict === "FAIL" ? judge(next, await look(next), explanations) : first;
      if (first !== second && second.verdict === "pass")
        secondLooks.push(...first.problems.map((problem) => `${next?.name}: ${problem}`));
      rows.set(next.name, second);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const cases = wanted.flatMap(({ name }) => rows.get(name) ?? []);
  const isWhole = wanted.length === CASES.length;
  return {
    cases: [...cases, ...(isWhole ? explanations.unused() : [])],
    summary: [...explanations.summary(), ...secondLooks.map((line) => `only at the first look: ${line}`)],
  };
}

/** What both sides did, and for a case of LIKES what the reference does in the other one. */
export interface Answers {
  readonly reference: Answer;
  readonly ours: Answer;
  readonly instead: Answer | undefined;
}

/** The row of the table for a case. */
export function judge(parityCase: ParityCase, answers: Answers, explanations: Explanations): SuiteCase {
  const { name } = parityCase;
  const { reference, ours, instead = reference } = answers;
  const trouble = [reference, ours, instead].flatMap((answer) =>
    "trouble" in answer ? [answer.trouble] : [],
  );
  if ("trouble" in reference || "trouble" in ours || "trouble" in instead) {
    return { name, verdict: "FAIL", compared: "", problems: trouble };
  }
  const like = LIKES[name];
  const all = compare(parityCase, instead, ours);
  // What comes before the calls is not the same in two cases.
  const steps = like === undefined ? all : all.filter(({ step }) => step.kind === "call");
  const { problems, rows } = explanations.explain(steps);
  const ownProblems = like === undefined ? [] : reasonsAgainst(like, parityCase, reference);
  if (like !== undefined) explanations.note(like);
  const facts = steps.reduce((sum, step) => sum + factsOf(step), 0);
  const found = new Set([...rows, ...(like === undefined ? [] : [like.row])]);
  const explained = found.size === 0 ? "" : `; differs by ${[...found].sort().join(", ")}`;
  const as = like === undefined ? "" : `; as "${like.as}"`;
  return {
    name,
    verdict: problems.length + ownProblems.length === 0 ? "pass" : "FAIL",
    compared: `${parityCase.steps.length} steps, ${facts} facts${as}${explained}`,
    problems: [...ownProblems, ...problems],
  };
}

/** The reference must still fail as it is said to. */
function reasonsAgainst(like: Like, parityCase: ParityCase, reference: CaseObservation): string[] {
  const index = parityCase.steps.findIndex(({ label }) => label === "ADD");
  const stdout = reference.steps[index]?.stdout ?? "";
  const { msg } = JSON.parse(stdout || "{}") as { msg?: string };
  return like.reference.test(msg ?? "") ? [] : [`ADD: the reference does not fail as expected: ${stdout}`];
}

function caseNamed(name: string): ParityCase {
  const found = CASES.find((parityCase) => parityCase.name === name);
  if (found === undefined) throw new Error(`there is no case ${JSON.stringify(name)}`);
  return found;
}
