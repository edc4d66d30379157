/**
 * One side, in mounts of its own: reads names of cases from stdin, runs each in a scratch host, and prints what was
 * observed, one JSON document a line. Started by suite.ts.
 */
import { mkdirSync, rmSync } from "node:fs";
import { outputOf } from "../../test/support/command.ts";
import { Bench, changes } from "./bench.ts";
import { FILES, PLUGIN_PATH, type SpecCase } from "./case.ts";
import { CASES } from "./cases/index.ts";
import { Host } from "./host.ts";
import type { Observation, Report } from "./observation.ts";
import type { State } from "./state.ts";

const [binaries = ""] = process.argv.slice(2);
mkdirSync(PLUGIN_PATH, { recursive: true });
await outputOf(["mount", "--bind", binaries, PLUGIN_PATH]);

/** A host that a case left as it was serves the next one with the same containers. */
let idle: { readonly host: Host; readonly containers: string; readonly state: State } | undefined;

const byName = new Map(CASES.map((specCase) => [specCase.name, specCase]));
for await (const name of console) {
  const specCase = byName.get(name);
  if (name === "") break;
  if (specCase === undefined) throw new Error(`no case ${JSON.stringify(name)}`);
  const report: Report = await run(specCase).catch((error) => ({ trouble: String(error?.stack ?? error) }));
  console.log(JSON.stringify(report));
}

async function run(specCase: SpecCase): Promise<Observation> {
  const start = performance.now();
  const { host, state: before } = await take(specCase.containers);
  try {
    const bench = new Bench(host);
    await specCase.run(bench);
    const state = await host.state();
    const isSame = changes(before, state).length === 0;
    if (specCase.still) for (const line of changes(before, state)) bench.note(`at the end: changed: ${line}`);
    if (isSame) idle = { host, containers: specCase.containers.join(), state: before };
    const { facts, problems } = bench;
    return { facts, problems, state, milliseconds: performance.now() - start };
  } finally {
    if (idle?.host !== host) await host.close();
  }
}

async function take(containers: readonly string[]): Promise<{ host: Host; state: State }> {
  const left = idle;
  idle = undefined;
  if (left?.containers === containers.join()) {
    rmSync(FILES, { recursive: true, force: true });
    mkdirSync(FILES, { recursive: true });
    return left;
  }
  await left?.host.close();
  const host = await Host.open(containers);
  return { host, state: await host.state() };
}
