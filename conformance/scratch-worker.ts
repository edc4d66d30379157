/** Suites whose cases run in a scratch host: from inside of it. */
import { mkdirSync, rmSync } from "node:fs";
import { outputOf } from "../test/support/command.ts";
import { type HostState, hostState } from "../test/support/host-state.ts";
import { requireScratchHost } from "../test/support/scratch-host.ts";
import { stateDifference } from "../test/support/state-difference.ts";
import { mountCgroups } from "./cgroups.ts";
import type { WorkerLine, WorkerTask } from "./scratch-suite.ts";
import type { SuiteCase } from "./suite.ts";

/** A case, which cleans up after itself as its users would. */
export interface ScratchCase {
  readonly name: string;
  /** Whether it makes things anew, in another order. */
  readonly reorders?: boolean;
  /** @returns what was compared, in a few words. @throws Error when something is not as it should be. */
  run(): Promise<string>;
}

/** Programs of the distribution go before those of a package of another origin. */
export const PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/** What the suite asked for. @throws Error outside of a scratch host. */
export function workerTask(): WorkerTask {
  requireScratchHost();
  const task = JSON.parse(process.argv[2] ?? "") as WorkerTask;
  // Ends with the process that started it.
  void (async () => {
    for await (const _ of Bun.stdin.stream());
    process.exit(1);
  })();
  return task;
}

/**
 * Makes a host for daemons: an empty folder for their files, a copy of /etc that may be written into, without a
 * configuration of CNI, and control groups.
 */
export async function prepareHost({ folder }: WorkerTask): Promise<void> {
  await outputOf(["mount", "-n", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]);
  await outputOf(["cp", "-a", "/etc", `${folder}/etc`]);
  await outputOf(["mount", "-n", "--bind", `${folder}/etc`, "/etc"]);
  rmSync("/etc/cni", { recursive: true, force: true });
  for (const path of ["/etc/cni/net.d", `${folder}/home`, `${folder}/tmp`])
    mkdirSync(path, { recursive: true });
  // Locks and shared memory of daemons.
  await outputOf("mount -n -t tmpfs tmpfs /dev/shm");
  await mountCgroups();
}

/** The environment of programs in the scratch host. */
export const hostEnvironment = ({ folder }: WorkerTask): Record<string, string> => ({
  PATH,
  HOME: `${folder}/home`,
  TMPDIR: `${folder}/tmp`,
});

/** Lines of a difference that a row shows. */
const MOST = 20;

const print = (line: WorkerLine) => console.log(JSON.stringify(line));

/** A line below the table. */
export const summarize = (summary: string): void => print({ summary });

/**
 * Runs the wanted cases one after the other. After each the host must be as it was before, except for lines of its
 * state that match `mayDiffer`; `rescue` clears the ground after a case that failed.
 */
export async function runCases(
  cases: readonly ScratchCase[],
  task: WorkerTask,
  mayDiffer: readonly RegExp[],
  rescue: () => Promise<unknown>,
): Promise<void> {
  const { patterns } = task;
  const wanted = cases.filter(
    ({ name }) => patterns.length === 0 || patterns.some((word) => name.includes(word)),
  );
  for (const { name, run, reorders = false } of wanted) {
    const inOrder = (state: HostState) => (reorders ? [...state].sort() : state);
    const start = performance.now();
    const before = await hostState();
    const problems: string[] = [];
    const compared = await run().catch((error) => {
      problems.push(...textOf(error));
      return "";
    });
    if (problems.length === 0) {
      const left = stateDifference(inOrder(before), inOrder(await hostState()), mayDiffer);
      if (left.length > 0) problems.push("the host is not as it was before:", ...left.slice(0, MOST));
      if (left.length > MOST) problems.push(`and ${left.length - MOST} lines more`);
    }
    if (problems.length > 0) await rescue().catch((error) => problems.push("cleaning up:", ...textOf(error)));
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const row: SuiteCase = {
      name,
      verdict: problems.length === 0 ? "pass" : "FAIL",
      compared: problems.length === 0 ? `${compared}; nothing left; ${seconds} s` : `${seconds} s`,
      problems,
    };
    print({ row });
  }
}

const textOf = (error: unknown): string[] =>
  (error instanceof Error ? error.message : String(error)).trimEnd().split("\n");
