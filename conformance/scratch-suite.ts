/** Suites of runtimes, whose cases run in a scratch host: from outside of it. */
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isolated, whyNotIsolated } from "../test/support/isolation.ts";
import { linesOf } from "../test/support/lines.ts";
import { provideTools } from "../test/support/tools.ts";
import { provideBusybox } from "./busybox.ts";
import { ownCgroup, removeCgroups } from "./cgroups.ts";
import { provideDebian } from "./debian.ts";
import type { Provide } from "./go-programs.ts";
import { provideNeighbours } from "./reference.ts";
import type { Suite, SuiteCase, SuiteContext, SuiteReport } from "./suite.ts";

interface RuntimeSuite {
  readonly title: string;
  /** Of the suite. Its worker.ts runs the cases. */
  readonly folder: string;
  /** Packages by the programs that are needed of them. */
  readonly debian: Readonly<Record<string, string>>;
  /** Further folders of WorkerTask, for each run of the worker. */
  readonly runs: readonly Readonly<Record<string, string | Provide>>[];
  readonly minutes: number;
  /** Each case takes so long that its end is told at once, not only in the table. */
  readonly slow?: true;
}

/** Gets what a suite needs, and runs its worker in a fresh scratch host for each of `runs`. */
export const runtimeSuite = ({ title, folder, debian, runs, minutes, slow }: RuntimeSuite): Suite => ({
  title,
  run: async (context) => {
    const { cache, say } = context;
    await provideTools(
      ["bridge", "ip", "ip6tables-save", "iptables-save", "nft", "nsenter", "ping", "strace", "unshare"],
      say,
    );
    await provideBusybox(say);
    await provideDebian(debian, say);
    const reports: SuiteReport[] = [];
    for (const places of runs) {
      const folders: Record<string, string> = {};
      for (const [name, place] of Object.entries({ neighbours: provideNeighbours, ...places }))
        folders[name] = typeof place === "string" ? place : await place(cache, say);
      const hear = (line: WorkerLine) => {
        if (!slow) return;
        say("row" in line ? `${line.row.verdict}  ${line.row.name}  ${line.row.compared}` : line.summary);
      };
      reports.push(await runInScratchHost(join(folder, "worker.ts"), folders, minutes, context, hear));
    }
    return {
      cases: reports.flatMap(({ cases }) => cases),
      summary: reports.flatMap(({ summary }) => summary),
    };
  },
});

/** What the process in the scratch host gets, as JSON in its first argument. */
export interface WorkerTask {
  readonly binaries: string;
  readonly patterns: readonly string[];
  /** An empty folder for whatever the daemons write; see prepareHost of scratch-worker.ts. */
  readonly folder: string;
  /** The control group that all containers must be in. */
  readonly cgroup: string;
  /** Further folders by name, as the suite says. */
  readonly places: Readonly<Record<string, string>>;
}

/** One line that the worker prints. */
export type WorkerLine = { readonly row: SuiteCase } | { readonly summary: string };

/**
 * Runs `worker` in a fresh scratch host, and takes its rows. When it ends, or this process does, all its processes end.
 * @throws Error when it ends in another way than with exit code 0, or not in `minutes`.
 */
async function runInScratchHost(
  worker: string,
  places: Readonly<Record<string, string>>,
  minutes: number,
  context: SuiteContext,
  hear: (line: WorkerLine) => void,
): Promise<SuiteReport> {
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  const folder = mkdtempSync(join(tmpdir(), "bridgehead-conformance-"));
  const cgroup = ownCgroup();
  const task: WorkerTask = { binaries: context.binaries, patterns: context.patterns, folder, cgroup, places };
  const visible = [context.binaries, folder, ...Object.values(places)];
  const command = isolated([process.execPath, worker, JSON.stringify(task)], visible);
  // The worker ends when its stdin does: that is when this process dies.
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "pipe", env: process.env });
  const cleanUp = async () => {
    child.kill("SIGKILL");
    await child.exited;
    await removeCgroups(cgroup);
    rmdirSync(folder);
  };
  const interrupted = () => void cleanUp().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupted);
  const timer = setTimeout(() => child.kill("SIGKILL"), minutes * 60_000);
  const lines: WorkerLine[] = [];
  const listen = async () => {
    for await (const text of linesOf(child.stdout)) {
      if (text === "") continue;
      const line = JSON.parse(text) as WorkerLine;
      lines.push(line);
      hear(line);
    }
  };
  try {
    const [, stderr, exitCode] = await Promise.all([
      listen(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const cases = lines.flatMap((line) => ("row" in line ? [line.row] : []));
    if (exitCode !== 0) {
      const done = `after ${cases.length} cases, the last one "${cases.at(-1)?.name ?? ""}"`;
      throw new Error(`the scratch host ended with exit code ${exitCode} ${done}\n${stderr}`);
    }
    return { cases, summary: lines.flatMap((line) => ("summary" in line ? [line.summary] : [])) };
  } finally {
    clearTimeout(timer);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, interrupted);
    await cleanUp();
  }
}
