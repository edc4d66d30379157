/**
 * Cases that each have a scratch host for themselves, run side by side. A lane is a process in namespaces of its own
 * (scratch-lane.ts), which takes one case after the other; when this process ends, the lanes end.
 */
import { join } from "node:path";
import { whyNotIsolated } from "../test/support/isolation.ts";
import { Lane } from "../test/support/lane.ts";
import type { ScratchHost } from "../test/support/scratch-host.ts";
import { provideTools, type Tool } from "../test/support/tools.ts";
import type { Findings, Judge } from "./judge.ts";
import { provideCnitool, provideNeighbours, provideReference } from "./reference.ts";
import type { SuiteCase, SuiteContext, SuiteReport } from "./suite.ts";

/** Folders of programs. */
export interface Programs {
  readonly ours: string;
  readonly reference: string;
  readonly neighbours: string;
  readonly cnitool: string;
}

/** What a case works with. */
export interface Scene {
  readonly host: ScratchHost;
  readonly judge: Judge;
  readonly programs: Programs;
}

export interface ScratchCase {
  readonly name: string;
  /** What is compared, for the table. */
  readonly compared: string;
  /** What stays on the host by design; everything else must be as before. */
  readonly keeps: readonly RegExp[];
  run(scene: Scene): Promise<void>;
}

const WORKER = join(import.meta.dir, "scratch-lane.ts");

/** Each waits for the kernel half of its time. */
const LANES = 3;

const TOOLS: readonly Tool[] = [
  "bridge",
  "ip",
  "ip6tables-save",
  "iptables-save",
  "mount",
  "nft",
  "nsenter",
  "ping",
  "strace",
  "sysctl",
  "unshare",
];

/** A report, and what the cases noted for a table of the suite's own, in their order. */
export interface LaneReport extends SuiteReport {
  readonly notes: readonly (readonly string[])[];
}

/** Runs the cases that the module at `path` exports as CASES. */
export async function runInLanes(
  context: SuiteContext,
  path: string,
  cases: readonly ScratchCase[],
): Promise<LaneReport> {
  await provideTools(TOOLS, context.say);
  const obstacle = await whyNotIsolated();
  if (obstacle !== undefined) throw new Error(obstacle);
  const programs: Programs = {
    ours: context.binaries,
    reference: await provideReference(context.cache, context.say),
    neighbours: await provideNeighbours(context.cache, context.say),
    cnitool: await provideCnitool(context.cache, context.say),
  };
  const { patterns } = context;
  const wanted = cases.filter(
    ({ name }) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)),
  );
  const rows = new Map<string, SuiteCase>();
  const notes = new Map<string, Findings["notes"]>();
  const left = [...wanted];
  const lane = async () => {
    if (left.length === 0) return;
    const args = [path, JSON.stringify(programs)];
    using worker = new Lane<Findings>(WORKER, args, Object.values(programs));
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const findings = await worker.ask(next.name);
      rows.set(next.name, rowOf(next, findings));
      notes.set(next.name, findings.notes);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return {
    cases: wanted.flatMap(({ name }) => rows.get(name) ?? []),
    summary: [],
    notes: wanted.flatMap(({ name }) => notes.get(name) ?? []),
  };
}

function rowOf({ name, compared }: ScratchCase, { facts, problems, rows }: Findings): SuiteCase {
  const explained = rows.length === 0 ? "" : `; the reference differs by ${rows.join(", ")}`;
  // A case that compares nothing proves nothing.
  const all = facts === 0 && problems.length === 0 ? ["nothing was compared"] : problems;
  return {
    name,
    verdict: all.length === 0 ? "pass" : "FAIL",
    compared: `${compared}: ${facts} facts${explained}`,
    problems: all.flatMap((problem) => problem.split("\n")),
  };
}
