/**
 * Altered input for the engine of the compact file and its host program, while AddressSanitizer watches all memory of theirs: the
 * layers that take in what comes from outside, then whole calls. What reads or writes memory that is not its own ends with a
 * report.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { outcomeOf } from "../support/command.ts";
import { askInLanes } from "../support/lane.ts";
import { JOB_LIMIT } from "../support/limits.ts";
import type { CallReport, CallTask } from "./fuzz/calls.ts";
import { sanitizedPrograms } from "./memory/programs.ts";
import type { FaultPart } from "./part.ts";

/** Cases of each layer, and of whole calls, that are tried in one go. */
const CASES = 50;
const CALLS = 100;
/** The most of either. */
const MOST_CASES = 250_000;
const MOST_CALLS = 40_000;
/** Findings after which it ends. */
const MOST_FOUND = 20;

const part: FaultPart = {
  title: "altered input, while AddressSanitizer watches the compact file's engine",
  async run({ cache, seed, until, say }) {
    const { layers, plugins } = await sanitizedPrograms(join(cache, "sanitized"));
    const found: string[] = [];
    let tried = 0;
    let next = seed;
    // Half of the time that the build has left.
    const half = (performance.now() + until()) / 2;
    const tryLayers = async () => {
      while (performance.now() < half && found.length < MOST_FOUND && next < seed + MOST_CASES) {
        const from = next;
        next += CASES;
        const { exitCode, stdout, stderr } = await outcomeOf([layers, `${from}`, `${CASES}`], {
          timeout: JOB_LIMIT,
        });
        if (exitCode !== 0 || stderr !== "")
          found.push(`layers ${from} ${CASES}: exit code ${exitCode}: ${stderr}`);
        tried += Number(stdout);
      }
    };
    const lanes = availableParallelism();
    await Promise.all(Array.from({ length: lanes }, tryLayers));
    say(`layers: ${tried} cases, ${found.length} found`);

    const turns = Array.from({ length: MOST_CALLS / CALLS }, (_, turn): CallTask[] => [
      { seed: seed + turn * CALLS, calls: CALLS },
    ]);
    const worker = {
      script: join(import.meta.dir, "fuzz/calls.ts"),
      args: [plugins],
      visible: [plugins],
    };
    const deadline = until();
    const reports = await askInLanes<CallTask, CallReport>(worker, turns, { lanes, deadline });
    const [done, refused] = (["done", "refused"] as const).map((kind) =>
      reports.reduce((sum, { answer }) => sum + answer[kind], 0),
    );
    found.push(...reports.flatMap(({ answer }) => answer.found));
    const figures = [
      `layers: ${tried} cases; calls: ${(done ?? 0) + (refused ?? 0)}, of which ${done} were done`,
    ];
    return { tried: tried + (done ?? 0) + (refused ?? 0), found, figures };
  },
};
export default part;
