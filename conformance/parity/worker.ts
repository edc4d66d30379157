/**
 * One side of the differential run, in its own mounts: reads names of cases from stdin, runs each in a fresh scratch
 * host, and prints what was observed, one JSON document a line. Started by suite.ts.
 */
import { mkdirSync } from "node:fs";
import { outcomeOf } from "../../test/support/command.ts";
import { type ParityCase, PLUGIN_PATH, type Step } from "./case.ts";
import { CASES } from "./cases/index.ts";
import type { Answer, CaseObservation, StepObservation } from "./observation.ts";
import { ScratchHost } from "./scratch-host.ts";

const [binaries = ""] = process.argv.slice(2);
mkdirSync(PLUGIN_PATH, { recursive: true });
const bound = await outcomeOf(["mount", "--bind", binaries, PLUGIN_PATH]);
if (bound.exitCode !== 0) throw new Error(`cannot show ${binaries} at ${PLUGIN_PATH}: ${bound.stderr}`);

const byName = new Map(CASES.map((parityCase) => [parityCase.name, parityCase]));
for await (const name of console) {
  const parityCase = byName.get(name);
  if (name === "") break;
  if (parityCase === undefined) throw new Error(`no case ${JSON.stringify(name)}`);
  const answer: Answer = await run(parityCase).catch((error) => ({ trouble: String(error?.stack ?? error) }));
  console.log(JSON.stringify(answer));
}

async function run(parityCase: ParityCase): Promise<CaseObservation> {
  const host = await ScratchHost.open(parityCase.containers);
  try {
    const results = new Map<string, string>();
    const before = await host.capture();
    const steps: StepObservation[] = [];
    for (const [index, step] of parityCase.steps.entries()) {
      const taken = await take(step, host, results);
      const wanted = parityCase.stateAfter === "each" || index === parityCase.steps.length - 1;
      steps.push({ ...taken, ...(wanted && { state: await host.capture() }) });
    }
    return { before, steps };
  } finally {
    await host.close();
  }
}

async function take(step: Step, host: ScratchHost, results: Map<string, string>): Promise<StepObservation> {
  const start = performance.now();
  if (step.kind === "change") {
    const { stdout, stderr, exitCode } = await host.run(step.script);
    if (exitCode !== 0) throw new Error(`step "${step.label}" ended with ${exitCode}: ${stderr}`);
    return { exitCode, stdout, stderr: "", milliseconds: 0 };
  }
  const { exitCode, stdout, stderr } = await host.plugin(step, stdinOf(step, results));
  const milliseconds = performance.now() - start;
  if (exitCode === 0) results.set(step.label, stdout);
  return { exitCode, stdout, stderr, milliseconds };
}

function stdinOf(step: Step & { kind: "call" }, results: Map<string, string>): string {
  if (typeof step.stdin === "string") return step.stdin;
  const result = step.resultOf === undefined ? undefined : results.get(step.resultOf);
  if (result === undefined) return JSON.stringify(step.stdin);
  const prevResult = JSON.parse(result) as Record<string, unknown>;
  step.edit?.(prevResult);
  return JSON.stringify({ ...step.stdin, prevResult });
}
