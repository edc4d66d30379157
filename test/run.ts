/**
 * npm test: unit tests, then the build and its tests, then kernel tests in scratch hosts.
 *
 *   npm test                       all
 *   npm test -- PATTERN...         only files whose path contains one of the patterns
 *   npm test -- --unit             only what needs neither root nor a build
 *   npm test -- --bin DIR          kernel and build tests against the programs in DIR, without a build; with the compact
 *                                  file also those of its program, which need Rust
 *
 * The last line is "N passed, N failed", with ", N skipped" when tests were skipped. No test at all is a failure.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { hasLoader } from "../build/needs.ts";
import { outcomeOf } from "./support/command.ts";
import { whyNotIsolated } from "./support/isolation.ts";
import { JOB_LIMIT } from "./support/limits.ts";
import { forEachFile, Tally } from "./support/tally.ts";
import { PROJECT, runFiles, type Surroundings } from "./support/test-files.ts";
import { provideTools } from "./support/tools.ts";

const { values: options, positionals: patterns } = parseArgs({
  options: { bin: { type: "string" }, unit: { type: "boolean", default: false } },
  allowPositionals: true,
});

const wanted = (file: string) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern));
const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(PROJECT)]
  // Those run under another kernel: npm run test:vm.
  .filter((file) => wanted(file) && !file.startsWith("test/vm/"))
  // Those need Rust, and are about the program of the compact file.
  .filter((file) => !file.startsWith("test/compact/") || testsCompact())
  .sort();
const inFolder = (name: string) => files.filter((file) => file.startsWith(`test/${name}/`));

const needBuild = [...inFolder("build"), ...inFolder("compact"), ...inFolder("kernel")];
const unit = files.filter((file) => !needBuild.includes(file));
const built = options.unit ? [] : [...inFolder("build"), ...inFolder("compact")];
const kernel = options.unit ? [] : inFolder("kernel");

const reports = mkdtempSync(join(tmpdir(), "bridgehead-test-"));
const binaries = options.bin === undefined ? join(PROJECT, "dist/bin") : resolve(options.bin);
const plain: Surroundings = {
  isolated: false,
  reports,
  env: { BRIDGEHEAD_BIN: binaries },
};

const tally = new Tally();
const noTools = built.length + kernel.length > 0 ? await whyNoTools() : undefined;

try {
  if (unit.length > 0) tally.count(`unit tests, ${unit.length} files`, await runFiles(unit, plain));
  if (built.length + kernel.length > 0 && (await ready())) {
    if (built.length > 0) tally.count("tests of the built file", await runFiles(built, plain));
    if (kernel.length > 0) await runKernelTests();
  }
} finally {
  rmSync(reports, { recursive: true, force: true });
}
process.exit(tally.close(patterns));

/** Whether --bin has the compact file. */
function testsCompact(): boolean {
  return options.bin !== undefined && !hasLoader(readFileSync(join(options.bin, "bridgehead")));
}

/** Whether there is something to test: builds, unless --bin says what to take. */
async function ready(): Promise<boolean> {
  if (options.bin !== undefined) return true;
  const build = await outcomeOf([process.execPath, "build.ts"], { cwd: PROJECT, timeout: JOB_LIMIT });
  if (build.exitCode === 0) return true;
  tally.fail("build");
  console.log(build.stdout + build.stderr);
  return false;
}

/** Each file in a scratch host of its own, as many at a time as there are processors. */
async function runKernelTests(): Promise<void> {
  const cause = process.getuid?.() !== 0 ? "not root" : (noTools ?? (await whyNotIsolated()));
  if (cause !== undefined) {
    for (const file of kernel) tally.skip(file, cause);
    return;
  }
  const surroundings = { ...plain, isolated: true };
  await forEachFile(kernel, async (file) => tally.count(file, await runFiles([file], surroundings)));
}

/** Why the tools of those tests are not all there. */
function whyNoTools(): Promise<string | undefined> {
  return provideTools(
    [
      ...([
        "bridge",
        "conntrack",
        "ip",
        "ip6tables-save",
        "iptables-save",
        "mount",
        "nft",
        "nsenter",
      ] as const),
      ...(["ping", "setpriv", "strace", "sysctl", "unshare"] as const),
    ],
    console.log,
  ).then(
    () => undefined,
    (error) => (error instanceof Error ? error.message : String(error)),
  );
}
