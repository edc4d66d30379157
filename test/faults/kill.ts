/** Kills the plugin, and its children, at each system call that changes something; and the reference likewise. */
import { provideReference } from "../../conformance/reference.ts";
import { AFTERMATHS, type Job } from "./job.ts";
import type { FaultContext, FaultPart } from "./part.ts";
import { ends, findings, type Recorded, type Side, sweep, tally } from "./sweep.ts";

/** Of the time, when it is bounded: the reference is slower, and only there to compare with. */
const OUR_SHARE = 0.8;

const part: FaultPart = {
  title: "killed at every system call that changes something",
  async run(context) {
    const ours = await kill({ ...context, side: "ours" }, context, OUR_SHARE);
    const figures = [...ours.figures];
    try {
      const binaries = await provideReference(context.cache, context.say);
      figures.push(...(await kill({ binaries, side: "reference" }, context, 1)).figures);
    } catch (error) {
      figures.push(`no reference to compare with: ${error instanceof Error ? error.message : error}`);
    }
    return { tried: ours.done.length, found: findings(ours.done), figures };
  },
};
export default part;

const changing = ({ points }: Recorded) => points.filter(({ changes }) => changes);

/** Each point with one aftermath, taking turns; with all of them in the long run. */
async function kill(side: Side, context: FaultContext, share: number) {
  const { long, seed } = context;
  const jobsOf = (record: Recorded): Job[] =>
    changing(record).flatMap((point, index) =>
      AFTERMATHS.filter((_, turn) => long || turn === (index + seed) % AFTERMATHS.length).map(
        (aftermath): Job => ({
          kind: "kill",
          scenario: record.scenario,
          command: record.command,
          point,
          aftermath,
        }),
      ),
    );
  const { done, recorded, summary } = await sweep(side, context, (all) => [all.flatMap(jobsOf)], share);
  const bad = done.filter(({ answer }) => answer.problems.length > 0);
  const kinds = bad.flatMap(({ answer }) => [...new Set(answer.problems.map(({ what }) => what))]);
  const byWhat = bad.length > 0 ? `, by what: ${tally(kinds)}` : "";
  const figures = [
    `${side.side}: ${recorded.flatMap(changing).length} points, ${summary}: ${ends(done)}`,
    `${side.side}: ${bad.length} cases left something behind or disturbed a neighbour${byWhat}`,
  ];
  return { done, figures };
}
