/** Runs test files, each group in the surroundings that it needs, and counts what happened. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { hearOut } from "./hearing.ts";
import { isolated } from "./isolation.ts";
import { readReport, type TestCase } from "./junit.ts";
import { SILENCE_LIMIT, TEST_LIMIT, timedOut } from "./limits.ts";

export const PROJECT = join(import.meta.dir, "../..");

/** What one process of bun test did. */
export interface FileRun {
  readonly files: readonly string[];
  readonly cases: readonly TestCase[];
  /** What went wrong outside of any test: a crash, a file without tests. */
  readonly trouble: readonly string[];
  /** All that was printed, but for the tests that passed. */
  readonly output: string;
  readonly seconds: number;
}

export interface Surroundings {
  /** In a scratch host of its own. */
  readonly isolated: boolean;
  /** Milliseconds without a word after which the process is killed; SILENCE_LIMIT if left out. */
  readonly silence?: number;
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
    `--timeout=${TEST_LIMIT}`,
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
  });
  let output = "";
  const hear = (text: string) => {
    output += text;
  };
  const limit = await hearOut(child, hear, {
    silence: surroundings.silence ?? SILENCE_LIMIT,
    lastWords: LAST_WORDS,
  });
  const seconds = (performance.now() - start) / 1000;
  const xml = existsSync(report) ? readFileSync(report, "utf8") : undefined;
  const ending = limit !== undefined ? timedOut(limit) : child.signalCode && `ended by ${child.signalCode}`;
  const { cases, trouble } = ending
    ? { cases: [], trouble: [`${ending} ${whereabouts(files, output)}`] }
    : judge(files, xml, child.exitCode);
  return { files, cases, trouble, output: withoutPasses(output), seconds };
}

/** Milliseconds that what a test has left behind may keep the output open. */
const LAST_WORDS = 2000;

/** The line in which bun test names a file, before its tests. */
const FILE = /^(\S+\.test\.ts):$/gm;
/** The line at the end of a test. */
const ENDED = /^\((?:pass|fail|skip|todo)\) (.*?)(?: \[[\d.]+ms\])?$/gm;

/** How far bun test had come with `files`: the file, and the last test in it that had ended. */
function whereabouts(files: readonly string[], output: string): string {
  const file = [...output.matchAll(FILE)].at(-1);
  if (file === undefined) return `before the first test of ${files[0]}`;
  const last = [...output.slice(file.index).matchAll(ENDED)].at(-1);
  return `in ${file[1]}, ${last === undefined ? "in its first test" : `after its test ${JSON.stringify(last[1])}`}`;
}

const withoutPasses = (output: string): string => output.replace(/^\((pass|skip)\) .*\n/gm, "");

/** What a report says of `files`, and what the report does not say. `xml` is undefined when there is none. */
export function judge(
  files: readonly string[],
  xml: string | undefined,
  exitCode: number | null,
): Pick<FileRun, "cases" | "trouble"> {
  const trouble: string[] = [];
  let cases: TestCase[] = [];
  try {
    if (xml !== undefined) cases = readReport(xml);
  } catch (error) {
    trouble.push(`${files.join(" ")}: unreadable report: ${error}`);
  }
  const failed = cases.some((test) => test.verdict === "failed");
  if (exitCode !== 0 && !failed) trouble.push(`${files.join(" ")}: ended with exit code ${exitCode}`);
  if (trouble.length === 0) {
    const silent = files.filter((file) => !cases.some((test) => relative(".", test.file) === file));
    trouble.push(...silent.map((file) => `${file}: no test in it`));
  }
  return { cases, trouble };
}
