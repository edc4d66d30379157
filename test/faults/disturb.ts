/**
 * One disturbed call: the plugin, or a child of it, is killed at one system call, or that call fails. Then comes the
 * runtime's DEL and a new life, or an error that takes everything back.
 */
import { rmSync } from "node:fs";
import { outcomeOf } from "../support/command.ts";
import { errorObject, protocolProblems } from "../support/protocol.ts";
import type { Traced } from "./calls.ts";
import { arm, takeTraces } from "./children.ts";
import type { Answer, DisturbedCommand, Kill, Problem, SystemCallError } from "./job.ts";
import { hitIn, injection, type Point } from "./point.ts";
import { failureOf, halfLeases, liveAgain, said } from "./recovery.ts";
import { SUBJECT } from "./scenario.ts";
import { addNetns, type Scene } from "./scene.ts";

/** Calls the chain with a fault at the point: `what` is "signal=KILL" or "error=EIO". DEL comes after an ADD. */
async function disturb(scene: Scene, command: DisturbedCommand, point: Point, what: string) {
  const added = command === "DEL" ? await scene.call("ADD", SUBJECT) : undefined;
  if (added !== undefined && added.exitCode !== 0)
    throw new Error(`ADD before the disturbed DEL: ${said(added)}`);
  if (added !== undefined) await scene.makeFlows();
  const prevResult = added === undefined ? {} : { prevResult: added.stdout };
  const options = injection(point, what);
  const { plugin = "bridge", child } = point;
  let inside = "";
  const before = async () => {
    if (child !== undefined) arm(child, options);
    if (plugin === "tuning") inside = await scene.insideOf(SUBJECT);
  };
  const at = { plugin, before, ...(child === undefined && { strace: options }) };
  const run = await scene.call(command, SUBJECT, { ...prevResult, at });
  const traces = child === undefined ? [run.trace] : takeTraces().map(({ trace }) => trace);
  const hit = traces.map(hitIn).find((line) => line !== undefined);
  return { run, prevResult, hit, plugin, inside };
}

export async function killCase(scene: Scene, job: Kill, reference: boolean): Promise<Answer> {
  const { command, point, aftermath } = job;
  const { run, prevResult, hit } = await disturb(scene, command, point, "signal=KILL");
  const problems: Problem[] = [];
  if (hit === undefined) problems.push(...failureOf(run, `${command} fails`, "fails undisturbed"));
  problems.push(...halfLeases());

  const isGone = aftermath === "gone" || aftermath === "nameless" || aftermath === "collected";
  if (isGone) {
    await outcomeOf(["ip", "netns", "delete", SUBJECT]);
    rmSync(`/run/netns/${SUBJECT}`, { force: true });
  }
  const unnamed = aftermath === "nameless" || aftermath === "unnamed" ? { netns: "" } : {};
  const next = aftermath === "collected" ? "GC" : "DEL";
  const deleted = await scene.call(next, SUBJECT, { ...prevResult, ...unnamed });
  problems.push(...failureOf(deleted, `${next} fails`, `the runtime's ${next} fails`));
  await scene.awaitOrphans();
  problems.push(...(await scene.leftovers({ skeleton: true, resting: isGone })));
  const skeleton = await scene.hasEmptySkeleton();
  if (isGone) await addNetns(SUBJECT);
  problems.push(...(await liveAgain(scene, { skeleton: reference })));
  const end = hit === undefined ? "clean" : "killed";
  return { hit, end: skeleton ? `${end}, empty tables until the next DEL` : end, problems };
}

/** The plugin says what failed and takes everything back, or it succeeds in spite of it. */
export async function errorCase(scene: Scene, job: SystemCallError): Promise<Answer> {
  const { command, point, errno, live } = job;
  const { run, prevResult, hit, plugin, inside } = await disturb(scene, command, point, `error=${errno}`);
  await scene.awaitOrphans();
  const problems = halfLeases();
  const refused = run.exitCode !== 0;
  let undone = false;
  if (!refused && command === "ADD") {
    for (const next of ["CHECK", "DEL"]) {
      const outcome = await scene.call(next, SUBJECT, { prevResult: run.stdout });
      problems.push(...failureOf(outcome, `${next} fails`, `${next} fails after an ADD that succeeded`));
    }
  }
  if (refused) {
    problems.push(...judgeError(run));
    // When not even the result can be delivered, the attachment was whole: it goes as by a DEL.
    undone =
      command === "ADD" && errorObject(run.stdout)?.msg.startsWith("cannot deliver the result") !== true;
    if (undone && inside !== "" && inside !== (await scene.insideOf(SUBJECT)))
      problems.push({ what: "container", text: `${inside} became ${await scene.insideOf(SUBJECT)}` });
    // What a failed ADD has done is gone without a DEL of the same plugin.
    const options = undone ? { before: plugin } : prevResult;
    const again = await scene.call("DEL", SUBJECT, options);
    problems.push(...failureOf(again, "DEL fails", "DEL once more fails"));
  }
  // T16: DEL of tuning only logs what fails, so that the plugins before it are called. Another DEL, or a GC, removes the rest.
  if (!refused && command === "DEL" && plugin === "tuning" && hit !== undefined)
    problems.push(
      ...failureOf(await scene.call("DEL", SUBJECT, prevResult), "DEL fails", "DEL once more fails"),
    );
  // Only where bridge is not called again does its ADD have to take back all.
  problems.push(...(await scene.leftovers({ skeleton: !undone, undone: undone && plugin === "bridge" })));
  if (problems.length === 0 && live) problems.push(...(await liveAgain(scene, { skeleton: false })));
  const end = hit === undefined ? "clean" : refused ? "refused" : "tolerated";
  return { hit, end, problems };
}

/** An action, and not just a call and an errno: "cannot …", "failed to …", "error reading …". */
const NAMES_STEP = /\b(cannot|can't|could not|failed|error reading|unable)\b/;

/** One error object, exit code 1, no stack trace, and words that say what could not be done. */
export function judgeError(run: Pick<Traced, "exitCode" | "stdout" | "stderr">): Problem[] {
  const wrong = protocolProblems("ADD", run);
  if (wrong.length === 0 && !NAMES_STEP.test((JSON.parse(run.stdout) as { msg: string }).msg))
    wrong.push("the error names no step");
  return wrong.map((text) => ({ what: "report", text: `${text}: ${said(run)}` }));
}
