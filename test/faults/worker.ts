/**
 * Runs the cases of the sweeps in a scratch host of its own: reads jobs from stdin and prints answers, one JSON
 * document a line. Started by sweep.ts.
 */

import { hostState } from "../support/host-state.ts";
import { requireScratchHost } from "../support/scratch-host.ts";
import { mountTraps } from "./children.ts";
import { errorCase } from "./error-case.ts";
import type { Answer, DisturbedCommand, Job } from "./job.ts";
import { killCase } from "./kill-case.ts";
import { pointsOf } from "./point.ts";
import { SUBJECT, scenarioNamed } from "./scenario.ts";
import { Scene, withoutWaiting } from "./scene.ts";

const [binaries = "", kind = ""] = process.argv.slice(2);
const reference = kind === "reference";
requireScratchHost();
await mountTraps();
await withoutWaiting();
const bare = await hostState();
let scene: Scene | undefined;

for await (const line of console) {
  if (line === "") break;
  const job = JSON.parse(line) as Job;
  let answer: Answer;
  try {
    answer = await run(job);
  } catch (error) {
    answer = {
      problems: [
        { what: "trouble", text: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      ],
    };
  }
  console.log(JSON.stringify(answer));
  // A bare host is bare only once, and what one case has left must not be laid at the next one's door.
  if (answer.problems.length > 0 || scene?.scenario.neighbour === false) await leave();
}

async function leave(): Promise<void> {
  const left = scene;
  scene = undefined;
  await left?.close();
}

async function run(job: Job): Promise<Answer> {
  if (scene?.scenario.name !== job.scenario) {
    await leave();
    scene = await Scene.open(scenarioNamed(job.scenario), { binaries, reference, bare });
  }
  switch (job.kind) {
    case "kill":
      return killCase(scene, job, reference);
    case "error":
      return errorCase(scene, job);
    case "record":
      return record(scene, job.command);
  }
}

async function record(host: Scene, command: DisturbedCommand): Promise<Answer> {
  const added = command === "DEL" ? await host.call("ADD", SUBJECT) : undefined;
  const { trace, children } = await host.record(command, added?.stdout);
  if (command === "ADD") await host.call("DEL", SUBJECT);
  // Later calls of a program are like its first, which is the one that an armed trap catches.
  const first = children.filter(
    ({ child }, index) => children.findIndex((other) => other.child === child) === index,
  );
  const points = [...pointsOf(trace), ...first.flatMap((run) => pointsOf(run.trace, run.child))];
  return { points, problems: [] };
}
