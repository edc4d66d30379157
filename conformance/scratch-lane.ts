/**
 * A lane of scratch-lanes.ts: reads names of cases from stdin, runs each, and prints what it found, one JSON document a
 * line. After each case the host must be as it was.
 */
import { withScratchHost } from "../test/support/scratch-host.ts";
import { type Findings, Judge } from "./judge.ts";
import type { Programs, ScratchCase } from "./scratch-lanes.ts";

const [path = "", folders = "{}"] = process.argv.slice(2);
const programs = JSON.parse(folders) as Programs;
const { CASES } = (await import(path)) as { CASES: readonly ScratchCase[] };

for await (const name of console) {
  if (name === "") break;
  const found = CASES.find((scratchCase) => scratchCase.name === name);
  if (found === undefined) throw new Error(`no case ${JSON.stringify(name)}`);
  console.log(JSON.stringify(await run(found)));
}

async function run(scratchCase: ScratchCase): Promise<Findings> {
  const judge = new Judge();
  try {
    await withScratchHost((host) => scratchCase.run({ host, judge, programs }), {
      mayKeep: scratchCase.keeps,
    });
  } catch (error) {
    judge.broken(error);
  }
  return judge.findings;
}
