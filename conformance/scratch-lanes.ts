/** Cases that each have a scratch host for themselves, in lanes. After each the host must be as it was. */
import { join } from "node:path";
import { Lane } from "../test/support/lane.ts";
import type { ScratchHost } from "../test/support/scratch-host.ts";
import type { Findings, Judge } from "./judge.ts";
import { runInLanes } from "./lanes.ts";
import { provideCnitool, provideNeighbours, provideReference } from "./reference.ts";
import type { Suite, SuiteCase } from "./suite.ts";

export interface Programs {
  readonly ours: string;
  readonly reference: string;
  readonly neighbours: string;
  readonly cnitool: string;
}

export interface Scene {
  readonly host: ScratchHost;
  readonly judge: Judge;
  readonly programs: Programs;
}

export interface ScratchCase {
  readonly name: string;
  /** What stays on the host by design; everything else must be as before. */
  readonly keeps: readonly RegExp[];
  run(scene: Scene): Promise<void>;
}

const WORKER = join(import.meta.dir, "scratch-lane.ts");

/** Each waits for the kernel half of its time. */
const LANES = 3;

/** The suite of the cases that cases.ts of `folder` exports as CASES. */
export const scratchSuite = (title: string, folder: string, cases: readonly ScratchCase[]): Suite => ({
  title,
  run: async (context) => {
    const { binaries, cache, say } = context;
    const programs: Programs = {
      ours: binaries,
      reference: await provideReference(cache, say),
      neighbours: await provideNeighbours(cache, say),
      cnitool: await provideCnitool(cache, say),
    };
    const open = () => {
      const args = [join(folder, "cases.ts"), JSON.stringify(programs)];
      const lane = new Lane<Findings>(WORKER, args, Object.values(programs));
      return {
        ask: async ({ name }: ScratchCase) => rowOf(name, await lane.ask(name)),
        [Symbol.dispose]: () => lane[Symbol.dispose](),
      };
    };
    return { cases: await runInLanes(context, cases, LANES, open), summary: [] };
  },
});

function rowOf(name: string, { facts, problems, rows }: Findings): SuiteCase {
  const explained = rows.length === 0 ? "" : `; the reference differs by ${rows.join(", ")}`;
  // A case that compares nothing proves nothing.
  const all = facts === 0 && problems.length === 0 ? ["nothing was compared"] : problems;
  return {
    name,
    verdict: all.length === 0 ? "pass" : "FAIL",
    compared: `${facts} facts${explained}`,
    problems: all.flatMap((problem) => problem.split("\n")),
  };
}
