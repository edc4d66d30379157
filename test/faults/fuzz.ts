/**
 * Input that nobody wrote on purpose: a million cases for the layers that take it in, then whole calls of the built
 * plugins with altered configurations, environments and lease folders.
 */

import { CNI_LAYERS } from "../fuzz/cni-layers.ts";
import { KERNEL_LAYERS } from "../fuzz/kernel-layers.ts";
import { fuzz } from "../fuzz/layer.ts";
import { isolated } from "../support/isolation.ts";
import type { FaultPart } from "./part.ts";

const LAYERS = [...CNI_LAYERS, ...KERNEL_LAYERS];
/** Cases for each layer: a million for all. */
const EACH = Math.ceil(1_000_000 / LAYERS.length);
/** Whole calls with --long. */
const CALLS = 40_000;
const LANES = 2;

/** What a lane prints at its end. */
export interface CallReport {
  readonly tried: number;
  /** Calls that were done, and calls that were refused. */
  readonly done: number;
  readonly refused: number;
  readonly found: readonly string[];
}

const part: FaultPart = {
  title: "a million altered inputs for each layer's parser, then whole calls",
  async run({ binaries, seed, long, budgetMs, say }) {
    const deadline = long ? Number.POSITIVE_INFINITY : performance.now() + budgetMs;
    const found: string[] = [];
    let tried = 0;
    // First the calls, which take what the machine gives; the layers need no more than two minutes.
    const time = long ? 3 * 3_600_000 : Math.max(10_000, budgetMs / 2);
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      runLane(binaries, { seed: seed + lane * CALLS, calls: CALLS / LANES, time }),
    );
    const reports = await Promise.all(lanes);
    for (const report of reports) {
      tried += report.tried;
      found.push(...report.found);
    }
    const done = sum(reports.map((report) => report.done));
    const refused = sum(reports.map((report) => report.refused));
    say(
      `calls: ${done + refused} tried, of which ${done} were done and ${refused} refused; ${found.length} found`,
    );
    let pure = 0;
    const step = 5000;
    for (let from = 0; from < EACH && performance.now() < deadline; from += step) {
      for (const layer of LAYERS) {
        const findings = await fuzz(layer, seed + from, Math.min(step, EACH - from));
        for (const { seed: itsSeed, problem } of findings)
          found.push(`${layer.name}, seed ${itsSeed}: ${problem}`);
        pure += Math.min(step, EACH - from);
      }
      if (found.length > 20) break;
    }
    tried += pure;
    return { tried, found, figures: [`layers: ${pure} cases of ${LAYERS.length} layers`] };
  },
};

export default part;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** One scratch host with a worker in it. */
async function runLane(
  binaries: string,
  { seed, calls, time }: { seed: number; calls: number; time: number },
): Promise<CallReport> {
  const worker = [process.execPath, `${import.meta.dir}/fuzz/calls.ts`];
  const command = isolated([...worker, binaries, String(seed), String(calls), String(time)], [binaries]);
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: process.env });
  const stop = () => child.kill("SIGKILL");
  process.once("exit", stop);
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  process.off("exit", stop);
  const report = stdout.trim().split("\n").at(-1) ?? "";
  if (!report.startsWith("{"))
    return { tried: 0, done: 0, refused: 0, found: [`a lane broke off:\n${stderr}`] };
  return JSON.parse(report) as CallReport;
}
