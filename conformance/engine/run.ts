/** Runs cases against our plugins and against the reference, each side on identical hosts, and judges what came of them. */
import { join } from "node:path";
import { Lane } from "../../test/support/lane.ts";
import { runInLanes } from "../lanes.ts";
import { provideReference } from "../reference.ts";
import type { SuiteCase, SuiteContext, SuiteReport } from "../suite.ts";
import type { Who } from "./bench.ts";
import type { Case } from "./case.ts";
import { compare } from "./comparison.ts";
import type { Reason } from "./exceptions.ts";
import { type Declared, Explanations } from "./explanations.ts";
import type { Observation, Report } from "./observation.ts";
import { count } from "./tree.ts";

const WORKER = join(import.meta.dir, "worker.ts");

/** Pairs of workers; each waits for the kernel half of its time. */
const LANES = 2;

/** A case in which the reference fails and ours does what the reference does in another one: that is compared. */
export interface Like extends Reason {
  /** How the reference's ADD fails in the case itself. */
  readonly reference: RegExp;
  /** The case whose result and state ours must have. */
  readonly as: string;
}

interface Differential {
  /** A module that exports them as CASES. */
  readonly path: string;
  readonly cases: readonly Case[];
  readonly declared: Declared;
  /** By the name of the case. */
  readonly likes?: Readonly<Record<string, Like>>;
}

/** What both sides did, and for a case of `likes` what the reference does in the other one. */
interface Reports {
  readonly reference: Report;
  readonly ours: Report;
  readonly instead?: Report;
}

interface DifferentialReport extends SuiteReport {
  /** What the two sides noted, by the name of the case. */
  readonly notes: ReadonlyMap<string, Readonly<Record<Who, readonly string[]>>>;
}

export async function runDifferential(
  { path, cases, declared, likes = {} }: Differential,
  context: SuiteContext,
): Promise<DifferentialReport> {
  const { binaries, cache, patterns, say } = context;
  const reference = await provideReference(cache, say);
  const explanations = new Explanations({ ...declared, reasons: Object.values(likes) });
  const notes = new Map<string, Record<Who, readonly string[]>>();
  const open = () => {
    const theirs = new Lane<Report>(WORKER, ["reference", reference, path], [reference]);
    const ours = new Lane<Report>(WORKER, ["ours", binaries, path], [binaries]);
    return {
      ask: async (next: Case) => {
        const { name } = next;
        const like = likes[name];
        const [a, b] = await Promise.all([theirs.ask(name), ours.ask(name)]);
        const instead = like === undefined ? {} : { instead: await theirs.ask(like.as) };
        notes.set(name, { reference: notesOf(a), ours: notesOf(b) });
        return judge(next, { reference: a, ours: b, ...instead }, explanations, like);
      },
      [Symbol.dispose]: () => {
        theirs[Symbol.dispose]();
        ours[Symbol.dispose]();
      },
    };
  };
  const rows = await runInLanes(context, cases, LANES, open);
  const unused = patterns.length === 0 ? explanations.unused() : [];
  return { cases: [...rows, ...unused.map(stale)], summary: explanations.summary(), notes };
}

const notesOf = (report: Report): readonly string[] => ("notes" in report ? report.notes : []);

const stale = (what: string): SuiteCase => ({
  name: `exception ${what}`,
  verdict: "FAIL",
  compared: "",
  problems: ["never occurred: take it out"],
});

/** The row of the table for a case. */
function judge(
  { name, compared }: Pick<Case, "name" | "compared">,
  reports: Reports,
  explanations: Explanations,
  like?: Like,
): SuiteCase {
  const { reference, ours, instead = reference } = reports;
  if ("trouble" in reference || "trouble" in ours || "trouble" in instead) {
    const problems = Object.entries(reports).flatMap(([side, report]) =>
      "trouble" in report ? [`${side}: ${report.trouble}`] : [],
    );
    return { name, verdict: "FAIL", compared: "", problems };
  }
  const all = compared ? compare(name, instead, ours) : [];
  // What comes before the calls is not the same in two cases.
  const steps = like === undefined ? all : all.filter(({ step }) => step.call !== undefined);
  const { problems, rows } = explanations.explain(name, steps, reference.problems);
  if (like !== undefined) explanations.note(like);
  const own = [
    ...ours.problems.map(({ text }) => `ours: ${text}`),
    ...(like === undefined ? [] : reasonsAgainst(like, reference)),
  ];
  const facts = steps.reduce((sum, step) => sum + count(step.reference), 0);
  const found = [...new Set([...rows, ...(like === undefined ? [] : [like.row])])].sort();
  const explained = found.length === 0 ? "" : `; differs by ${found.join(", ")}`;
  const as = like === undefined ? "" : `; as "${like.as}"`;
  return {
    name,
    verdict: problems.length + own.length === 0 ? "pass" : "FAIL",
    compared: `${ours.steps.length} steps, ${facts} facts${as}${explained}`,
    problems: [...own, ...problems],
  };
}

/** The reference must still fail as it is said to. */
function reasonsAgainst(like: Like, { steps }: Observation): string[] {
  const stdout = steps.find(({ label }) => label === "ADD")?.stdout ?? "";
  const { msg = "" } = JSON.parse(stdout || "{}") as { msg?: string };
  return like.reference.test(msg) ? [] : [`ADD: the reference does not fail as expected: ${stdout}`];
}
