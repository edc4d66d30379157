/** Runs the cases of the sweeps in a scratch host of its own. Started by sweep.ts. */
import { hostState } from "../support/host-state.ts";
import { answerEach } from "../support/lane.ts";
import { mountTraps } from "./children.ts";
import { errorCase, killCase } from "./disturb.ts";
import type { Answer, DisturbedCommand, Job } from "./job.ts";
import { type Point, pointsOf } from "./point.ts";
import { SUBJECT, scenarioNamed } from "./scenario.ts";
import { Scene, withoutWaiting } from "./scene.ts";

const [binaries = "", kind = ""] = process.argv.slice(2);
const reference = kind === "reference";
let scene: Scene | undefined;

await mountTraps();
await withoutWaiting();
const bare = await hostState();
await answerEach(async (question) => {
  const answer = await run(JSON.parse(question)).catch((error): Answer => {
    return { problems: [{ what: "trouble", text: error?.stack ?? String(error) }] };
  });
  // A bare host is bare only once, and what one case has left must not be laid at the next one's door.
  if (answer.problems.length > 0 || scene?.scenario.neighbour === false) await leave();
  return answer;
});

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
  if (job.kind === "kill") return killCase(scene, job, reference);
  return job.kind === "error" ? errorCase(scene, job) : record(scene, job.command);
}

/** The points of a command, from a clean run for each plugin that is disturbed. */
async function record(host: Scene, command: DisturbedCommand): Promise<Answer> {
  const points: Point[] = [];
  for (const plugin of host.scenario.disturbed) {
    const added = command === "DEL" ? await host.call("ADD", SUBJECT) : undefined;
    const { trace, children } = await host.record(command, plugin, added?.stdout);
    if (command === "ADD") await host.call("DEL", SUBJECT);
    // Later calls of a program are like its first, which is the one that an armed trap catches.
    const first = [...new Map(children.toReversed().map((run) => [run.child, run])).values()];
    const found = [...pointsOf(trace), ...first.flatMap((run) => pointsOf(run.trace, run.child))];
    for (const point of found) points.push({ ...point, plugin });
  }
  return { points, problems: [] };
}
