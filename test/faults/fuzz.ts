/**
 * Input that was not written on purpose: a million cases for the layers that take it in, then whole calls of the built
 * plugins with altered configurations, environments and lease folders.
 */
import { CNI_LAYERS } from "../fuzz/cni-layers.ts";
import { KERNEL_LAYERS } from "../fuzz/kernel-layers.ts";
import { fuzz } from "../fuzz/layer.ts";
import { askInLanes } from "../support/lane.ts";
import type { CallReport, CallTask } from "./fuzz/calls.ts";
import type { FaultPart } from "./part.ts";

const LAYERS = [...CNI_LAYERS, ...KERNEL_LAYERS];
/** Cases for each layer: a million for all. */
const EACH = Math.ceil(1_000_000 / LAYERS.length);
/** Cases that a layer gets in turn. */
const STEP = 5000;
/** Whole calls with --long, and those that a lane does in turn. */
const CALLS = 40_000;
const TURN = 500;
const LANES = 2;

const part: FaultPart = {
  title: "a million altered inputs for each layer's parser, then whole calls",
  async run({ binaries, seed, long, until, say }) {
    // First the calls, which take what the machine gives; the layers need no more than two minutes.
    const turns = Array.from({ length: CALLS / TURN }, (_, turn): CallTask[] => [
      { seed: seed + turn * TURN, calls: TURN },
    ]);
    const worker = { script: `${import.meta.dir}/fuzz/calls.ts`, args: [binaries], visible: [binaries] };
    const deadline = until(long ? 1 : 0.5);
    const reports = await askInLanes<CallTask, CallReport>(worker, turns, { lanes: LANES, deadline });
    const found = reports.flatMap(({ answer }) => answer.found);
    const sum = (of: (report: CallReport) => number) =>
      reports.reduce((total, { answer }) => total + of(answer), 0);
    const [done, refused] = [sum((report) => report.done), sum((report) => report.refused)];
    say(
      `calls: ${done + refused} tried, of which ${done} were done and ${refused} refused; ${found.length} found`,
    );
    let pure = 0;
    for (let from = 0; from < EACH && performance.now() < until() && found.length <= 20; from += STEP) {
      const count = Math.min(STEP, EACH - from);
      for (const layer of LAYERS) {
        for (const finding of await fuzz(layer, seed + from, count))
          found.push(`${layer.name}, seed ${finding.seed}: ${finding.problem}`);
        pure += count;
      }
    }
    const figures = [`layers: ${pure} cases of ${LAYERS.length} layers`];
    return { tried: done + refused + pure, found, figures };
  },
};
export default part;
