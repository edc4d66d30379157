/**
 * npm run test:vm: tests that want another kernel than the machine's, each file in a guest of its own.
 *
 *   npm run test:vm                    all
 *   npm run test:vm -- PATTERN...      only files whose path contains one of the patterns
 *   npm run test:vm -- --bin DIR       against the programs in DIR, without a build
 *
 * The last line is "N passed, N failed", with ", N skipped" when tests were skipped. No test at all is a failure.
 * BRIDGEHEAD_REFERENCE_DIR names a folder with the reference's plugins; they are built where it is not set.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { provideReference } from "../../conformance/reference.ts";
import { outcomeOf } from "../support/command.ts";
import { JOB_LIMIT, TEST_LIMIT } from "../support/limits.ts";
import { forEachFile, Tally } from "../support/tally.ts";
import { PROJECT, runFiles } from "../support/test-files.ts";
import { provideTools } from "../support/tools.ts";
import { type Kernel, runInGuest } from "./guest.ts";
import { provideUserModeLinux } from "./user-mode-linux.ts";

const { values: options, positionals: patterns } = parseArgs({
  options: { bin: { type: "string" } },
  allowPositionals: true,
});
const wanted = (file: string) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern));
const find = (glob: string) => [...new Bun.Glob(glob).scanSync(PROJECT)].filter(wanted).sort();
const own = find("test/vm/*.test.ts");
const inGuests = find("test/vm/guest/*.test.ts");

const binaries = options.bin === undefined ? join(PROJECT, "dist/bin") : resolve(options.bin);
const tally = new Tally();
// In order, so that what the guests need is removed; they themselves end with this process in any case.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));
if (own.length > 0) await runOwnTests();
if (inGuests.length > 0 && (await ready())) await runGuests();
process.exit(tally.close(patterns));

/** Those of the harness itself, on this machine. */
async function runOwnTests(): Promise<void> {
  const reports = mkdtempSync(join(tmpdir(), "bridgehead-test-"));
  try {
    tally.count("tests of the harness", await runFiles(own, { isolated: false, reports, env: {} }));
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
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

async function runGuests(): Promise<void> {
  let kernel: Kernel;
  try {
    await provideTools(
      ["bridge", "ip", "iptables-save", "ip6tables-save", "nft", "nsenter", "ping"],
      console.log,
    );
    kernel = await provideUserModeLinux(console.log);
  } catch (error) {
    for (const file of inGuests) tally.skip(file, reason(error));
    return;
  }
  const reference = await findReference();
  const env = { BRIDGEHEAD_BIN: binaries, ...reference };
  const visible = [
    binaries,
    ...(reference.BRIDGEHEAD_REFERENCE_DIR === undefined ? [] : [reference.BRIDGEHEAD_REFERENCE_DIR]),
  ];
  const limits = { testTimeout: TEST_LIMIT, timeout: JOB_LIMIT };
  await forEachFile(inGuests, async (file) =>
    tally.count(`${file} on ${kernel.name}`, await runInGuest(kernel, file, { ...limits, env, visible })),
  );
}

/** Where Debian's package of the reference is: an old one, which does not know all that it is compared in. */
const PACKAGED = "/usr/lib/cni";

/** For the tests: the reference's folder, or why there is none. */
async function findReference(): Promise<Record<string, string>> {
  const { BRIDGEHEAD_REFERENCE_DIR } = process.env;
  if (BRIDGEHEAD_REFERENCE_DIR !== undefined) return { BRIDGEHEAD_REFERENCE_DIR };
  try {
    return { BRIDGEHEAD_REFERENCE_DIR: await provideReference(join(PROJECT, ".cache"), console.log) };
  } catch (error) {
    if (existsSync(join(PACKAGED, "bridge"))) return { BRIDGEHEAD_REFERENCE_DIR: PACKAGED };
    return { BRIDGEHEAD_NO_REFERENCE: reason(error) };
  }
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll("\n", " ").trim();
}
