/** One kill: the plugin, or a child of it, ends at one system call; then come the runtime's DEL and a new life. */
import { rmSync } from "node:fs";
import { outcomeOf } from "../support/command.ts";
import { arm, takeTraces } from "./children.ts";
import type { Answer, Job, Problem } from "./job.ts";
import { hitIn, injection } from "./point.ts";
import { halfLeases, liveAgain, said } from "./recovery.ts";
import { SUBJECT } from "./scenario.ts";
import { addNetns, type Scene } from "./scene.ts";

export async function killCase(
  scene: Scene,
  job: Job & { kind: "kill" },
  reference: boolean,
): Promise<Answer> {
  const { command, point, aftermath } = job;
  const problems: Problem[] = [];
  const added = command === "DEL" ? await scene.call("ADD", SUBJECT) : undefined;
  if (added !== undefined && added.exitCode !== 0)
    throw new Error(`ADD before the disturbed DEL: ${said(added)}`);
  const prevResult = added === undefined ? {} : { prevResult: added.stdout };

  const options = injection(point, "signal=KILL");
  if (point.child !== undefined) arm(point.child, options);
  const run = await scene.call(command, SUBJECT, {
    ...prevResult,
    ...(point.child === undefined && { strace: options }),
  });
  const traces = point.child === undefined ? [run.trace] : takeTraces().map(({ trace }) => trace);
  const hit = traces.map(hitIn).find((line) => line !== undefined);
  const end = hit === undefined ? "clean" : "killed";
  if (hit === undefined && run.exitCode !== 0)
    problems.push({ what: `${command} fails`, text: `fails undisturbed: ${said(run)}` });
  problems.push(...halfLeases());

  const isGone = aftermath === "gone" || aftermath === "nameless";
  if (isGone) await removeNetns();
  const deleted = await scene.call("DEL", SUBJECT, {
    ...prevResult,
    ...((aftermath === "nameless" || aftermath === "unnamed") && { netns: "" }),
  });
  if (deleted.exitCode !== 0)
    problems.push({ what: "DEL fails", text: `the runtime's DEL fails: ${said(deleted)}` });
  await scene.awaitOrphans();
  problems.push(...(await scene.leftovers({ skeleton: true, resting: isGone })));
  const skeleton = await scene.hasEmptySkeleton();
  if (isGone) await addNetns(SUBJECT);
  problems.push(...(await liveAgain(scene, { skeleton: reference })));
  return { hit, end: skeleton ? `${end}, empty tables until the next DEL` : end, problems };
}

async function removeNetns(): Promise<void> {
  await outcomeOf(["ip", "netns", "delete", SUBJECT]);
  rmSync(`/run/netns/${SUBJECT}`, { force: true });
}
