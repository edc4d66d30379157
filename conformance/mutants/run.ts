/**
 * Breaks the built programs on purpose, in one way after the other, and sees the conformance suites fail.
 *
 *   npx bun conformance/mutants/run.ts                      every mutant, the cases of the suite spec that must see it
 *   npx bun conformance/mutants/run.ts NAME...              only these
 *   npx bun conformance/mutants/run.ts NAME... -- WORD...   with these words for `npm run conformance`, as in
 *                                                           -- interop --case "iptables"
 *   npx bun conformance/mutants/run.ts --bin DIR            breaks the programs in DIR, not those in dist/bin
 *
 * First the same scripts without a mutation: nothing may fail. Ends with 1 when a mutant was not seen. The folders stay
 * in conformance/.cache/mutants/NAME, for `npm run conformance -- SUITE --bin conformance/.cache/mutants/NAME`.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { outcomeOf } from "../../test/support/command.ts";
import { MUTATIONS, type Mutation, PLUGINS, wrapper } from "./mutations.ts";

const CONFORMANCE = dirname(import.meta.dir);
const MINUTES_15 = 900_000;

const own = process.argv.slice(2);
const end = own.indexOf("--");
const words = end < 0 ? [] : own.slice(end + 1);
const { values, positionals } = parseArgs({
  args: end < 0 ? own : own.slice(0, end),
  options: { bin: { type: "string" } },
  allowPositionals: true,
});
const real = resolve(values.bin ?? join(dirname(CONFORMANCE), "dist/bin"));
const unknown = positionals.filter((name) => !MUTATIONS.some((mutation) => mutation.name === name));
if (unknown.length > 0) {
  console.error(`no mutant ${unknown.join(", ")}: there is ${MUTATIONS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const wanted = MUTATIONS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

const cases = [...new Set(wanted.map((mutation) => mutation.cases))];
const healthy = { name: "none", plugins: [], commands: [], script: "", cases: "" } satisfies Mutation;
const control = await run(healthy, wordsFor(cases));
const survivors: string[] = control.failed.length > 0 ? ["none"] : [];
console.log(
  control.failed.length === 0 ? "ok    none: nothing fails" : `FAIL  none: ${control.failed.join("; ")}`,
);
for (const mutation of wanted) {
  const { failed, last } = await run(mutation, wordsFor([mutation.cases]));
  if (failed.length === 0) survivors.push(mutation.name);
  console.log(`${failed.length > 0 ? "ok  " : "FAIL"}  ${mutation.name}: ${last}`);
  for (const name of failed) console.log(`        ${name}`);
}
console.log(
  survivors.length === 0 ? `${wanted.length} mutants, all seen` : `not seen: ${survivors.join(", ")}`,
);
process.exit(survivors.length === 0 ? 0 : 1);

function wordsFor(patterns: readonly string[]): string[] {
  return words.length > 0 ? words : ["spec", ...patterns.flatMap((pattern) => ["--case", pattern])];
}

/** The names of the cases that failed, and the last line of the run. */
async function run(
  mutation: Mutation,
  arguments_: readonly string[],
): Promise<{ failed: string[]; last: string }> {
  const folder = join(CONFORMANCE, ".cache/mutants", mutation.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const plugin of PLUGINS) {
    writeFileSync(join(folder, plugin), wrapper(real, plugin, mutation));
    chmodSync(join(folder, plugin), 0o755);
  }
  const command = [process.execPath, join(CONFORMANCE, "run.ts"), ...arguments_, "--bin", folder];
  const { exitCode, stdout, stderr } = await outcomeOf(command, { timeout: MINUTES_15 });
  const lines = stdout.trimEnd().split("\n");
  const last = lines.at(-1) ?? "";
  if (!/^\d+ passed, \d+ failed/.test(last)) throw new Error(`conformance did not end: ${stdout}${stderr}`);
  const failed = lines
    .filter((line) => line.startsWith("FAILED: "))
    .map((line) => line.slice("FAILED: ".length));
  if (exitCode !== 0 && failed.length === 0)
    throw new Error(`exit code ${exitCode} without a failure: ${stdout}`);
  return { failed: exitCode === 0 ? [] : failed, last };
}
