/** What a suite of conformance is: cases run against the built programs, and a table of what became of them. */

export type Verdict = "pass" | "FAIL" | "skip";

export interface SuiteCase {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was compared or proven, in a few words. */
  readonly compared: string;
  /** Why it failed or was skipped, one line each; empty for a case that passed. */
  readonly problems: readonly string[];
  /** Of a skip: it is right on the machine that runs the CI. Any other skip fails there. */
  readonly expected?: true;
}

export interface SuiteReport {
  readonly cases: readonly SuiteCase[];
  readonly summary: readonly string[];
}

export interface SuiteContext {
  /** The folder of the built programs: bridge, host-local, loopback. */
  readonly binaries: string;
  /** Whether the user has named that folder, with --bin. */
  readonly chosen: boolean;
  /** Survives from run to run; git ignores it. */
  readonly cache: string;
  /** Only cases whose name contains one of these; all when empty. */
  readonly patterns: readonly string[];
  say(line: string): void;
}

/** The default export of conformance/NAME/suite.ts. */
export interface Suite {
  readonly title: string;
  /** It takes too long to be one of all suites: it runs when its name is given. */
  readonly onlyByName?: true;
  run(context: SuiteContext): Promise<SuiteReport>;
}

/** The cases that are wanted. */
export const wantedOf = <Case extends { readonly name: string }>(
  patterns: readonly string[],
  cases: readonly Case[],
): readonly Case[] =>
  cases.filter(({ name }) => patterns.length === 0 || patterns.some((pattern) => name.includes(pattern)));

/** The table of a report, with the problems of each case below it. */
export function formatReport(name: string, report: SuiteReport): string[] {
  const width = Math.max(...report.cases.map((row) => row.name.length), 0);
  const lines = report.cases.flatMap((row) => [
    `${row.verdict}  ${row.name.padEnd(width)}  ${row.compared}`.trimEnd(),
    ...row.problems.map((problem) => `      ${problem}`),
  ]);
  return [`== ${name}`, ...lines, ...report.summary];
}
