/** Runs test files, each group in the surroundings that it needs, and counts what happened. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isolated } from "./isolation.ts";
import { readReport, type TestCase } from "./junit.ts";

export const PROJECT = join(import.meta.dir, "../..");

/** What one process of bun test did. */
export interface FileRun {
  readonly files: readonly string[];
  readonly cases: readonly TestCase[];
  /** What went wrong outside of any test: a crash, a file without tests. */
  readonly trouble: readonly string[];
  /** All that was printed. */
  readonly output: string;
  readonly seconds: number;
}

export interface Surroundings {
  /** In a scratch host of its own. */
  readonly isolated: boolean;
  /** Milliseconds for a test that names no limit of its own. */
  readonly testTimeout: number;
  /** Milliseconds for the whole process. */
  readonly timeout: number;
  /** A folder for the report, which the process can see. */
  readonly reports: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs `files` (relative to the project) in one process. Never throws for anything that the tests do. */
export async function runFiles(files: readonly string[], surroundings: Surroundings): Promise<FileRun> {
  const report = join(surroundings.reports, `${Bun.randomUUIDv7()}.xml`);
  const command = [
    process.execPath,
    "test",
    "--only-failures",
    `--timeout=${surroundings.testTimeout}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...files.map((file) => `./${file}`),
  ];
  const start = performance.now();
  const child = Bun.spawn(surroundings.isolated ? isolated(command, [surroundings.reports]) : command, {
    cwd: PROJECT,
    env: { ...process.env, ...surroundings.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: surroundings.timeout,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const seconds = (performance.now() - start) / 1000;
  const xml = existsSync(report) ? readFileSync(report, "utf8") : undefined;
  const { cases, trouble } = judge(files, xml, exitCode, child.signalCode);
  return { files, cases, trouble, output: stdout + stderr, seconds };
}

/** What a report says of `files`, and what the report does not say. `xml` is undefined when there is none. */
export function judge(
  files: readonly string[],
  xml: string | undefined,
  exitCode: number,
  signal: unknown = null,
): Pick<FileRun, "cases" | "trouble"> {
  const trouble: string[] = [];
  let cases: TestCase[] = [];
  try {
    if (xml !== undefined) cases = readReport(xml);
  } catch (error) {
    trouble.push(`${files.join(" ")}: unreadable report: ${error}`);
  }
  const failed = cases.some((test) => test.verdict === "failed");
  if (signal !== null) trouble.push(`${files.join(" ")}: ended by ${signal}`);
  else if (exitCode !== 0 && !failed) trouble.push(`${files.join(" ")}: ended with exit code ${exitCode}`);
  if (trouble.length === 0) {
    const silent = files.filter((file) => !cases.some((test) => relative(".", test.file) === file));
    trouble.push(...silent.map((file) => `${file}: no test in it`));
  }
  return { cases, trouble };
}
