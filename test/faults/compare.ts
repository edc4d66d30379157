/**
 * The same altered calls to the programs of two folders, each in a scratch host of its own: output, exit code, stderr, and
 * the state of kernel and lease folder must be the same. On the second host the programs of the second folder run, or both
 * in turn, so that one finds what the other has left.
 */
import { join } from "node:path";
import { linksOf } from "../../conformance/engine/aliases.ts";
import { treesOf, withoutConsequences } from "../../conformance/engine/comparison.ts";
import {
  type Difference,
  describe,
  describePath,
  differences,
  treeOf,
} from "../../conformance/engine/tree.ts";
import { Lane } from "../support/lane.ts";
import type { CompareTask, Programs, SideReport, SideStep } from "./compare/worker.ts";
import type { FaultPart } from "./part.ts";

const WORKER = join(import.meta.dir, "compare/worker.ts");
/** Sequences with --long; each has five calls on either side. */
const SEQUENCES = 4000;
/** Pairs of lanes. */
const LANES = 2;
/** Differences after which it ends, and those that are shown of one sequence. */
const MOST_FOUND = 20;
const MOST_SHOWN = 6;

const part: FaultPart = {
  title: "the same altered calls to two builds",
  async run({ binaries, other, seed, long, until, say }) {
    const found: string[] = [];
    const counts = { calls: 0, done: 0, sequences: 0, unseen: 0 };
    let next = 0;
    const work = async () => {
      const args = [binaries, other];
      using one = new Lane<SideReport>(WORKER, args, args);
      using two = new Lane<SideReport>(WORKER, args, args);
      while (performance.now() < until() && found.length < MOST_FOUND && !(long && next >= SEQUENCES)) {
        const task: CompareTask = { seed: seed + next++, programs: "first" };
        const programs: Programs = task.seed % 2 === 0 ? "second" : "mixed";
        const [left, right] = await Promise.all([
          one.ask(JSON.stringify(task)),
          two.ask(JSON.stringify({ ...task, programs })),
        ]);
        counts.sequences++;
        counts.calls += left.steps.length;
        counts.done += left.steps.filter(({ exitCode }) => exitCode === 0).length;
        if (isUnseen(left, right)) counts.unseen++;
        const problems = compared(left, right);
        if (problems.length > 0) {
          found.push(`seed ${task.seed}, ${programs}: ${problems.join("\n    ")}`);
          say(`the row of seed ${task.seed} differs`);
        }
        if (counts.sequences % 100 === 0) say(`${counts.calls} calls, ${found.length} found`);
      }
    };
    await Promise.all(Array.from({ length: LANES }, work));
    const { calls, done, sequences, unseen } = counts;
    const figures = [
      `${calls} calls of ${sequences} sequences on either side, of which ${done} were done`,
      `${unseen} sequences not compared to their end: no tool can show their hosts`,
    ];
    return { tried: calls, found, figures };
  },
};
export default part;

/** Whether the tools can show neither host: `ip -j` prints no JSON when a bridge has a control character in its name. */
const isUnseen = (left: SideReport, right: SideReport): boolean =>
  left.trouble !== undefined && left.trouble === right.trouble;

const describeDifference = ({ path, reference, ours }: Difference): string =>
  `${describePath(path)}: ${describe(reference)} and ${describe(ours)}`;

/** What is not the same, from the first step on that differs. */
function compared(left: SideReport, right: SideReport): string[] {
  const [a, b] = [treesOf(left), treesOf(right)];
  for (const [index, step] of left.steps.entries()) {
    const other = right.steps[index];
    if (other === undefined) break;
    const [mine, theirs] = [a.get(step.label) ?? {}, b.get(step.label) ?? {}];
    const found = withoutConsequences(
      differences({ ...mine, ...exactly(step) }, { ...theirs, ...exactly(other) }),
    );
    if (found.length === 0) continue;
    const shown = found.slice(0, MOST_SHOWN).map(describeDifference);
    if (found.length > shown.length) shown.push(`and ${found.length - shown.length} more`);
    return [
      `${step.label}: ${shown[0]}`,
      ...shown.slice(1),
      `on the first host ran the ${step.ran}`,
      `on the second the ${other.ran}`,
    ];
  }
  // What the tools can show of one host alone is a difference.
  return isUnseen(left, right) ? [] : [left.trouble, right.trouble].flatMap((trouble) => trouble ?? []);
}

/** What follows from the attachment alone: names and MACs of the host's ends, indexes and records of leases. */
const exactly = ({ state, leases }: SideStep) => ({
  leases: treeOf(leases),
  ...(state !== undefined && {
    veth: treeOf(
      linksOf(state.host.addr)
        .filter(({ ifname }) => /^veth[0-9a-f]{8}$/.test(ifname))
        .map(({ ifname, address }) => `${ifname} ${address}`)
        .sort(),
    ),
  }),
});
