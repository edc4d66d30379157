/**
 * npm run conformance: proves the built programs against programs that others wrote. A black box: nothing of src is
 * imported, only the files in dist/bin are run.
 *
 *   npm run conformance                        all suites but kubernetes, which takes minutes of its own
 *   npm run conformance -- NAME...             only these: a suite is conformance/NAME/suite.ts
 *   npm run conformance -- --case PATTERN      only cases whose name contains the pattern (may be repeated)
 *   npm run conformance -- --bin DIR           the programs in DIR, without a build
 *
 * Ends with "N passed, N failed", with ", N skipped" when cases were skipped. No case at all is a failure; with CI=true
 * a skip that its suite does not expect is one as well.
 */
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { outcomeOf } from "../test/support/command.ts";
import { JOB_LIMIT } from "../test/support/limits.ts";
import { formatReport, type Suite, type SuiteCase } from "./suite.ts";

const HERE = import.meta.dir;
const PROJECT = dirname(HERE);

const { values: options, positionals: wanted } = parseArgs({
  options: { bin: { type: "string" }, case: { type: "string", multiple: true, default: [] } },
  allowPositionals: true,
});

const names = [...new Bun.Glob("*/suite.ts").scanSync(HERE)].map((path) => dirname(path)).sort();
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no suite ${unknown.join(", ")}: there is ${names.join(", ")}`);
  process.exit(2);
}

const binaries = options.bin === undefined ? join(PROJECT, "dist/bin") : resolve(options.bin);
if (options.bin === undefined) {
  const build = await outcomeOf([process.execPath, "build.ts"], { cwd: PROJECT, timeout: JOB_LIMIT });
  if (build.exitCode !== 0) {
    console.log(`${build.stdout}${build.stderr}FAILED: build\n0 passed, 1 failed`);
    process.exit(1);
  }
}
const cache = join(HERE, ".cache");
mkdirSync(cache, { recursive: true });

const cases: SuiteCase[] = [];
for (const name of wanted.length > 0 ? wanted : names) {
  const suite = ((await import(`./${name}/suite.ts`)) as { default: Suite }).default;
  if (suite.onlyByName && wanted.length === 0) {
    console.log(`${name}: runs by its name only: npm run conformance -- ${name}`);
    continue;
  }
  console.log(`${name}: ${suite.title}`);
  const start = performance.now();
  try {
    const context = {
      binaries,
      chosen: options.bin !== undefined,
      cache,
      patterns: options.case,
      say: (line: string) => console.log(line),
    };
    const report = await suite.run(context);
    cases.push(...report.cases);
    for (const line of formatReport(name, report)) console.log(line);
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    cases.push({ name, verdict: "FAIL", compared: "", problems: [problem] });
    console.log(`FAIL  ${name}: ${problem}`);
  }
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

const count = (verdict: string) => cases.filter((row) => row.verdict === verdict).length;
const unexpected = cases.filter(
  ({ verdict, expected }) => process.env.CI === "true" && verdict === "skip" && expected !== true,
);
const failed = count("FAIL") + unexpected.length + (cases.length === 0 ? 1 : 0);
const left = count("skip") - unexpected.length;
const skipped = left === 0 ? "" : `, ${left} skipped`;
for (const row of cases) if (row.verdict === "FAIL") console.log(`FAILED: ${row.name}`);
for (const row of unexpected) console.log(`FAILED: ${row.name}: skipped, which nobody expects`);
console.log(`${count("pass")} passed, ${failed} failed${skipped}`);
process.exit(failed === 0 ? 0 : 1);
