/** One system call that fails: the plugin says so and takes everything back, or it succeeds in spite of it. */
import { arm, takeTraces } from "./children.ts";
import type { Answer, Job, Problem } from "./job.ts";
import { hitIn, injection } from "./point.ts";
import { halfLeases, liveAgain, said } from "./recovery.ts";
import { SUBJECT } from "./scenario.ts";
import type { Scene, Traced } from "./scene.ts";

export async function errorCase(scene: Scene, job: Job & { kind: "error" }): Promise<Answer> {
  const { command, point, errno } = job;
  const problems: Problem[] = [];
  const added = command === "DEL" ? await scene.call("ADD", SUBJECT) : undefined;
  if (added !== undefined && added.exitCode !== 0)
    throw new Error(`ADD before the disturbed DEL: ${said(added)}`);
  const prevResult = added === undefined ? {} : { prevResult: added.stdout };

  const options = injection(point, `error=${errno}`);
  if (point.child !== undefined) arm(point.child, options);
  const run = await scene.call(command, SUBJECT, {
    ...prevResult,
    ...(point.child === undefined && { strace: options }),
  });
  const traces = point.child === undefined ? [run.trace] : takeTraces().map(({ trace }) => trace);
  const hit = traces.map(hitIn).find((line) => line !== undefined);
  await scene.awaitOrphans();
  problems.push(...halfLeases());

  let message: string | undefined;
  let undone = false;
  if (run.exitCode === 0) {
    if (command === "ADD") problems.push(...(await checkAndDelete(scene, run)));
  } else {
    const judged = judgeError(run);
    message = judged.message;
    problems.push(...judged.problems);
    // When not even the result can be delivered, the attachment was whole: it goes as by a DEL.
    undone = command === "ADD" && message?.startsWith("cannot deliver the result") !== true;
    if (!undone) {
      const again = await scene.call("DEL", SUBJECT, prevResult);
      if (again.exitCode !== 0)
        problems.push({ what: "DEL fails", text: `DEL once more fails: ${said(again)}` });
    }
  }
  problems.push(...(await scene.leftovers({ skeleton: !undone, undone })));
  if (problems.length === 0 && job.live) problems.push(...(await liveAgain(scene, { skeleton: false })));
  const end = hit === undefined ? "clean" : run.exitCode === 0 ? "tolerated" : "refused";
  return { hit, end, message, problems };
}

/** A success in spite of an error must be one. */
async function checkAndDelete(scene: Scene, run: Traced): Promise<Problem[]> {
  const checked = await scene.call("CHECK", SUBJECT, { prevResult: run.stdout });
  const deleted = await scene.call("DEL", SUBJECT, { prevResult: run.stdout });
  return [
    ...(checked.exitCode === 0
      ? []
      : [{ what: "CHECK fails", text: `CHECK fails after an ADD that succeeded: ${said(checked)}` }]),
    ...(deleted.exitCode === 0
      ? []
      : [{ what: "DEL fails", text: `DEL fails after an ADD that succeeded: ${said(deleted)}` }]),
  ];
}

/** One error object, exit code 1, no stack trace, and words that say what could not be done. */
export function judgeError(run: { exitCode: number; stdout: string; stderr: string }): {
  message: string | undefined;
  problems: Problem[];
} {
  const problem = (text: string): Problem => ({ what: "report", text: `${text}: ${said(run as Traced)}` });
  const problems: Problem[] = [];
  if (run.exitCode !== 1) problems.push(problem("neither success nor exit code 1"));
  if (/\n\s+at .+[:(]/.test(run.stdout + run.stderr)) problems.push(problem("a stack trace"));
  let document: { code?: unknown; msg?: unknown; cniVersion?: unknown };
  try {
    document = JSON.parse(run.stdout);
  } catch {
    return { message: undefined, problems: [...problems, problem("stdout is not one JSON object")] };
  }
  const { code, msg, cniVersion } = document;
  if (typeof code !== "number" || typeof msg !== "string" || typeof cniVersion !== "string") {
    return { message: undefined, problems: [...problems, problem("not an error object")] };
  }
  if (!NAMES_STEP.test(msg)) problems.push(problem("the error names no step"));
  return { message: msg, problems };
}

/** An action, and not just a call and an errno: "cannot …", "failed to …", "error reading …". */
const NAMES_STEP = /\b(cannot|can't|could not|failed|error reading|unable)\b/;
