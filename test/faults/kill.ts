/** Kills the plugin, and its children, at each system call that changes something; and the reference likewise. */
import { provideReference } from "../../conformance/reference.ts";
import { AFTERMATHS, type Job } from "./job.ts";
import type { FaultContext, FaultPart, PartReport } from "./part.ts";
import {
  type Done,
  describe,
  findings,
  type Recorded,
  recordAll,
  type Side,
  shuffled,
  sweep,
  tally,
} from "./sweep.ts";

const part: FaultPart = { title: "killed at every system call that changes something", run };
export default part;

/** Of the time, when it is bounded: the reference is slower, and only there to compare with. */
const OUR_SHARE = 0.8;

async function run(context: FaultContext): Promise<PartReport> {
  const start = performance.now();
  const until = (share: number) =>
    context.long ? Number.POSITIVE_INFINITY : start + share * context.budgetMs;
  const ours = await sweepSide({ binaries: context.binaries, side: "ours" }, context, until(OUR_SHARE));
  const figures = [...ours.figures];
  try {
    const binaries = await provideReference(context.cache, context.say);
    const theirs = await sweepSide({ binaries, side: "reference" }, context, until(1));
    figures.push(...theirs.figures);
  } catch (error) {
    figures.push(`no reference to compare with: ${error instanceof Error ? error.message : error}`);
  }
  return { tried: ours.done.length, found: findings(ours.done), figures };
}

async function sweepSide(side: Side, context: FaultContext, deadline: number) {
  const recorded = await recordAll(side, context.only);
  const all = recorded.flatMap((record) => jobsOf(record, context));
  const jobs = all.filter((job) => describe(job).includes(context.only));
  const done = await sweep(side, shuffled(jobs, context.seed), deadline);
  return { done, figures: figuresOf(side.side, recorded, jobs.length, done) };
}

/** Each point with one aftermath, taking turns; with all of them in the long run. */
function jobsOf({ scenario, command, points }: Recorded, { long, seed }: FaultContext): Job[] {
  return points
    .filter(({ changes }) => changes)
    .flatMap((point, index) =>
      AFTERMATHS.filter((_, turn) => long || turn === (index + seed) % AFTERMATHS.length).map(
        (aftermath): Job => ({ kind: "kill", scenario, command, point, aftermath }),
      ),
    );
}

/** The figures of one side: what was tried, and how many points left what. */
export function figuresOf(
  side: string,
  recorded: readonly Recorded[],
  planned: number,
  done: readonly Done[],
): string[] {
  const points = recorded.flatMap((record) => record.points.filter(({ changes }) => changes));
  const left = planned - done.length;
  const bad = done.filter(({ answer }) => answer.problems.length > 0);
  const kinds = bad.flatMap(({ answer }) => [...new Set(answer.problems.map(({ what }) => what))]);
  return [
    `${side}: ${points.length} points, ${done.length} of ${planned} cases tried${left > 0 ? ` (no time for ${left})` : ""}: ` +
      `${tally(done.map(({ answer }) => answer.end ?? "trouble"))}`,
    `${side}: ${bad.length} cases left something behind or disturbed somebody${bad.length > 0 ? `, by what: ${tally(kinds)}` : ""}`,
  ];
}
