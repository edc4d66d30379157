/** The cases of the suite, in a scratch host with a cluster. Started by suite.ts. */
import { deepEqual } from "node:assert/strict";
import { join } from "node:path";
import { outputOf } from "../../test/support/command.ts";
import { openHost, print, summarize, textOf } from "../scratch-worker.ts";
import { wantedOf } from "../suite.ts";
import { figureCases } from "./cases/figures.ts";
import { installCases } from "./cases/install.ts";
import { lossCases } from "./cases/losses.ts";
import { podCases } from "./cases/pods.ts";
import { rangeCases } from "./cases/range.ts";
import { serviceCases } from "./cases/services.ts";
import { swapCases } from "./cases/swap.ts";
import { Cluster } from "./cluster.ts";
import { isStatic } from "./network.ts";
import { sections } from "./page.ts";

const LOGS = join(import.meta.dir, "../.cache/kubernetes-logs");

const stage = await openHost();
const secondsSince = (start: number) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

/** Runs the wanted cases one after the other. Returns whether one has failed. */
async function runAll(): Promise<boolean> {
  const start = performance.now();
  const cluster = await Cluster.start(stage);
  summarize(`control plane and two nodes, without a network: ${secondsSince(start)}`);
  const cases = {
    ...podCases(cluster),
    ...serviceCases(cluster),
    // The image works only if its file needs no library.
    ...((await isStatic(join(stage.task.binaries, "bridgehead"))) ? installCases(cluster) : {}),
    ...swapCases(cluster),
    ...rangeCases(cluster),
    ...lossCases(cluster),
    ...figureCases(cluster),
    "docs/kubernetes.md: the suite has run all its commands": async () => {
      const left = sections().filter(({ title }) => !cluster.pageRun.has(title));
      deepEqual(
        left.map(({ title }) => title),
        [],
        "headings whose commands no case has run",
      );
      return `${cluster.pageRun.size} headings`;
    },
  };
  const all = Object.entries(cases).map(([name, run]) => ({ name, run }));
  let failed = false;
  for (const { name, run } of wantedOf(stage.task.patterns, all)) {
    const begin = performance.now();
    const problems: string[] = [];
    const compared = await run().catch(async (error) => {
      problems.push(...textOf(error), ...(await cluster.explain()));
      return "";
    });
    const time = secondsSince(begin);
    failed ||= problems.length > 0;
    print({
      row:
        problems.length === 0
          ? { name, verdict: "pass", compared: `${compared}; ${time}`, problems }
          : { name, verdict: "FAIL", compared: time, problems },
    });
  }
  return failed;
}

/** The logs of all daemons vanish with the scratch host. */
async function keepLogs(): Promise<void> {
  await outputOf(`rm -rf ${LOGS}; mkdir -p ${LOGS}; cd ${stage.task.folder}
    for log in */*.log; do cp "$log" "${LOGS}/$(dirname "$log")-$(basename "$log")"; done`);
  summarize(`the logs are in ${LOGS}`);
}

try {
  if (await runAll()) await keepLogs();
} catch (error) {
  await keepLogs();
  throw error;
}
process.exit(0);
