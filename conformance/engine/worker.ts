/**
 * One side of the differential run, in its own mounts: reads names of cases from stdin, runs each on a fresh host, and
 * prints what was observed, one JSON document a line. Started by run.ts.
 */
import { mkdirSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { serveCases } from "../lanes.ts";
import { Bench, type Who } from "./bench.ts";
import type { Case } from "./case.ts";
import { Host } from "./host.ts";
import { PLUGIN_PATH } from "./network.ts";
import type { Observation } from "./observation.ts";

const [who = "", binaries = "", path = ""] = process.argv.slice(2);
mkdirSync(PLUGIN_PATH, { recursive: true });
await outputOf(["mount", "-n", "--bind", binaries, PLUGIN_PATH]);
await serveCases<Case>(path, (found) =>
  run(found).catch((error) => ({ trouble: String(error?.stack ?? error) })),
);

async function run({ containers, run }: Case): Promise<Observation> {
  const host = await Host.open(containers);
  try {
    const bench = new Bench(who as Who, host);
    await run(bench);
    const { steps, problems, notes } = bench;
    return { steps, problems, notes };
  } finally {
    await host.close();
  }
}
