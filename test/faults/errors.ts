/** Lets each system call of the plugin fail, in several ways: it says what failed and takes everything back. */
import type { Job } from "./job.ts";
import { type FaultPart, randomFrom } from "./part.ts";
import { ends, findings, sweep } from "./sweep.ts";

const ERRORS = ["ENOSPC", "EIO", "EMFILE", "ENOMEM", "EINTR", "EAGAIN", "EPERM", "ENOBUFS"];

/** After how many of the cases a whole life of the container follows when time is short. */
const LIVES = 0.25;

/** Those that have no error that can be seen, or that only the runtime's own way to wait makes. */
const NEVER_FAIL = /^(exit_group|wait4|epoll_)/;

const part: FaultPart = {
  title: "every system call fails",
  async run(context) {
    const random = randomFrom(context.seed);
    const { done, recorded, summary } = await sweep({ ...context, side: "ours" }, context, (recorded) => {
      // Each call that changes something fails once before any fails again, and before those that only ask.
      const rounds: [Job[], Job[]] = [[], []];
      for (const { scenario, command, points } of recorded) {
        for (const point of points.filter(({ call }) => !NEVER_FAIL.test(call))) {
          const first = Math.floor(random() * ERRORS.length);
          for (const [turn, errno] of ERRORS.entries()) {
            const live = context.long || random() < LIVES;
            const round = rounds[point.changes && turn === first ? 0 : 1];
            round.push({ kind: "error", scenario, command, point, errno, live });
          }
        }
      }
      return rounds;
    });
    const changing = done.filter(({ job }) => job.kind === "error" && job.point.changes);
    const points = recorded.flatMap((record) => record.points);
    return {
      tried: done.length,
      found: findings(done),
      figures: [
        `${points.length} points, ${summary}, ${changing.length} of them at calls that change something`,
        `ends: ${ends(done)}`,
      ],
    };
  },
};
export default part;
