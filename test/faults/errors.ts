/** Lets each system call of the plugin fail, in several ways: it says what failed and takes everything back. */
import { provideTools } from "../support/tools.ts";
import type { Job } from "./job.ts";
import type { FaultContext, FaultPart, PartReport } from "./part.ts";
import { describe, findings, recordAll, type Side, shuffled, sweep, tally } from "./sweep.ts";

const part: FaultPart = { title: "every system call fails", run };
export default part;

const ERRORS = ["ENOSPC", "EIO", "EMFILE", "ENOMEM", "EINTR", "EAGAIN", "EPERM", "ENOBUFS"];

/** Those that have no error that anybody could see, or that only the runtime's own way to wait makes. */
const NEVER_FAIL = /^(exit_group|wait4|waitid|epoll_|ppoll)/;

async function run(context: FaultContext): Promise<PartReport> {
  const deadline = context.long ? Number.POSITIVE_INFINITY : performance.now() + context.budgetMs;
  await provideTools(["ip", "nft", "nsenter", "ping", "strace", "unshare"], context.say);
  const side: Side = { binaries: context.binaries, side: "ours" };
  const recorded = await recordAll(side, context.only);
  const all = recorded.flatMap(({ scenario, command, points }) =>
    points
      .filter(({ call }) => !NEVER_FAIL.test(call))
      // Calls that only ask get one error each when time is short; those that change something get all.
      .flatMap((point, index) =>
        ERRORS.filter((_, turn) => context.long || point.changes || turn === index % ERRORS.length).map(
          (errno): Job => ({ kind: "error", scenario, command, point, errno }),
        ),
      ),
  );
  const jobs = all.filter((job) => describe(job).includes(context.only));
  const done = await sweep(side, shuffled(jobs, context.seed), deadline);
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
