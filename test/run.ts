/**
 * npm test: unit tests, then the build and its tests, then kernel tests in scratch hosts.
 *
 *   npm test                       all
 *   npm test -- PATTERN...         only files whose path contains one of the patterns
 *   npm test -- --unit             only what needs neither root nor a build
 *   npm test -- --bin DIR          kernel and build tests against the programs in DIR, without a build
 *
 * The last line is "N passed, N failed", with ", N skipped" when tests were skipped. No test at all is a failure.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXPECTED_SKIPS } from "./expected-skips.ts";
import { outcomeOf } from "./support/command.ts";
import { whyNotIsolated } from "./support/isolation.ts";
import { causeOf } from "./support/skip.ts";
import { type FileRun, PROJECT, runFiles, type Surroundings } from "./support/test-files.ts";
import { provideTools } from "./support/tools.ts";

const { values: options, positionals: patterns } = parseArgs({
  options: { bin: { type: "string" }, unit: { type: "boolean", default: false } },
  allowPositionals: true,
});

const wanted = (file: string) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern));
const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(PROJECT)].filter(wanted).sort();
const inFolder = (name: string) => files.filter((file) => file.startsWith(`test/${name}/`));

const needBuild = [...inFolder("build"), ...inFolder("kernel")];
const unit = files.filter((file) => !needBuild.includes(file));
const built = options.unit ? [] : inFolder("build");
const kernel = options.unit ? [] : inFolder("kernel");

const reports = mkdtempSync(join(tmpdir(), "bridgehead-test-"));
const binaries = options.bin === undefined ? join(PROJECT, "dist/bin") : resolve(options.bin);
const plain: Surroundings = {
  isolated: false,
  testTimeout: 10_000,
  timeout: 300_000,
  reports,
  env: { BRIDGEHEAD_BIN: binaries },
};

let passed = 0;
const failures: string[] = [];
const skips: string[] = [];

try {
  if (unit.length > 0) count(`unit tests, ${unit.length} files`, await runFiles(unit, plain));
  if (built.length + kernel.length > 0 && (await ready())) {
    if (built.length > 0) count("tests of the built file", await runFiles(built, plain));
    if (kernel.length > 0) await runKernelTests();
  }
} finally {
  rmSync(reports, { recursive: true, force: true });
}
close();

/** Whether there is something to test: builds, unless --bin says what to take. */
async function ready(): Promise<boolean> {
  if (options.bin !== undefined) return true;
  const build = await outcomeOf([process.execPath, "build.ts"], { cwd: PROJECT });
  if (build.exitCode === 0) return true;
  failures.push("build");
  console.log(build.stdout + build.stderr);
  return false;
}

/** Each file in a scratch host of its own, as many at a time as there are processors. */
async function runKernelTests(): Promise<void> {
  const cause = await whyNoKernelTests();
  if (cause !== undefined) {
    for (const file of kernel) skip(file, cause);
    return;
  }
  const left = [...kernel];
  const surroundings = { ...plain, isolated: true, testTimeout: 30_000, timeout: 600_000 };
  const worker = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      count(file, await runFiles([file], surroundings));
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, worker));
}

async function whyNoKernelTests(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "not root";
  try {
    await provideTools(
      [
        "bridge",
        "conntrack",
        "ip",
        "ip6tables-save",
        "iptables-save",
        "mount",
        "nft",
        "nsenter",
        "ping",
        "unshare",
      ],
      console.log,
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return whyNotIsolated();
}

function count(title: string, run: FileRun): void {
  const of = (verdict: string) => run.cases.filter((test) => test.verdict === verdict);
  const failed = [...of("failed").map((test) => `${test.file} > ${test.name}`), ...run.trouble];
  passed += of("passed").length;
  failures.push(...failed);
  for (const test of of("skipped")) skip(`${test.file} > ${test.name}`, causeOf(test.name));
  const outcome = failed.length === 0 ? `${of("passed").length} passed` : `${failed.length} FAILED`;
  console.log(`${title}: ${outcome}, ${run.seconds.toFixed(1)} s`);
  if (failed.length > 0) console.log(run.output);
}

/** A skip needs a cause; in CI one that is on the list. */
function skip(test: string, cause: string | undefined): void {
  const expected = EXPECTED_SKIPS.some((entry) => entry.test.test(test) && entry.cause.test(cause ?? ""));
  if (cause === undefined) failures.push(`${test}: skipped without a cause`);
  else if (process.env.CI === "true" && !expected) failures.push(`${test}: unexpected skip: ${cause}`);
  else {
    skips.push(test);
    console.log(`skipped: ${test}${test.endsWith(`(skipped: ${cause})`) ? "" : ` (${cause})`}`);
  }
}

function close(): never {
  if (passed + failures.length + skips.length === 0) failures.push(`no test found ${patterns.join(" ")}`);
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  const skipped = skips.length === 0 ? "" : `, ${skips.length} skipped`;
  console.log(`${passed} passed, ${failures.length} failed${skipped}`);
  process.exit(failures.length === 0 ? 0 : 1);
}
