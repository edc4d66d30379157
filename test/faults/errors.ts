/** Lets each system call of the plugin fail, in several ways: it says what failed and takes everything back. */
import type { Job } from "./job.ts";
import { type FaultContext, type FaultPart, type PartReport, randomFrom } from "./part.ts";
import { describe, findings, recordAll, type Side, shuffled, sweep, tally } from "./sweep.ts";

const part: FaultPart = { title: "every system call fails", run };
export default part;

const ERRORS = ["ENOSPC", "EIO", "EMFILE", "ENOMEM", "EINTR", "EAGAIN", "EPERM", "ENOBUFS"];

/** After how many of the cases a whole life of the container follows when time is short. */
const LIVES = 0.25;

/** Those that have no error that anybody could see, or that only the runtime's own way to wait makes. */
const NEVER_FAIL = /^(exit_group|wait4|epoll_)/;

async function run(context: FaultContext): Promise<PartReport> {
  const deadline = context.long ? Number.POSITIVE_INFINITY : performance.now() + context.budgetMs;
  const side: Side = { binaries: context.binaries, side: "ours" };
  const recorded = await recordAll(side, context.only);
  const random = randomFrom(context.seed);
  const rounds: Job[][] = [[], []];
  for (const { scenario, command, points } of recorded) {
    for (const point of points.filter(({ call }) => !NEVER_FAIL.test(call))) {
      const first = Math.floor(random() * ERRORS.length);
      for (const [turn, errno] of ERRORS.entries()) {
        const live = context.long || random() < LIVES;
        const job: Job = { kind: "error", scenario, command, point, errno, live };
        // Each call that changes something fails once before any fails again, and before those that only ask.
        if (describe(job).includes(context.only)) rounds[point.changes && turn === first ? 0 : 1]?.push(job);
      }
    }
  }
  const jobs = rounds.flat();
  const chunks = rounds.flatMap((round) => shuffled(round, context.seed));
  const done = await sweep(side, chunks, deadline);
  const left = jobs.length - done.length;
  const changing = done.filter(({ job }) => job.kind === "error" && job.point.changes);
  return {
    tried: done.length,
    found: findings(done),
    figures: [
      `${recorded.flatMap(({ points }) => points).length} points, ${done.length} of ${jobs.length} cases tried` +
        `${left > 0 ? ` (no time for ${left})` : ""}, ${changing.length} of them at calls that change something`,
      `ends: ${tally(done.map(({ answer }) => answer.end ?? "trouble"))}`,
    ],
  };
}
