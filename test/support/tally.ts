/** Counts what test files did, and says it at the end in one line. */
import { EXPECTED_SKIPS } from "../expected-skips.ts";
import { inParallel } from "./parallel.ts";
import { causeOf } from "./skip.ts";
import type { FileRun } from "./test-files.ts";

/** What has passed, failed and been skipped so far. */
export class Tally {
  #passed = 0;
  readonly #failures: string[] = [];
  readonly #skips: string[] = [];

  /** Takes in a run, and prints its line, with all of its output if something failed. */
  count(title: string, run: FileRun): void {
    const of = (verdict: string) => run.cases.filter((test) => test.verdict === verdict);
    const failed = [...of("failed").map((test) => `${test.file} > ${test.name}`), ...run.trouble];
    this.#passed += of("passed").length;
    this.#failures.push(...failed);
    for (const test of of("skipped")) this.skip(`${test.file} > ${test.name}`, causeOf(test.name));
    const outcome = failed.length === 0 ? `${of("passed").length} passed` : `${failed.length} FAILED`;
    console.log(`${title}: ${outcome}, ${run.seconds.toFixed(1)} s`);
    if (failed.length > 0) console.log(run.output);
  }

  /** Something that went wrong outside of any test file. */
  fail(what: string): void {
    this.#failures.push(what);
  }

  /** A skip needs a cause; in CI one that is on the list. */
  skip(test: string, cause: string | undefined): void {
    const expected = EXPECTED_SKIPS.some((entry) => entry.test.test(test) && entry.cause.test(cause ?? ""));
    if (cause === undefined) this.fail(`${test}: skipped without a cause`);
    else if (process.env.CI === "true" && !expected) this.fail(`${test}: unexpected skip: ${cause}`);
    else {
      this.#skips.push(test);
      console.log(`skipped: ${test}${test.endsWith(`(skipped: ${cause})`) ? "" : ` (${cause})`}`);
    }
  }

  /**
   * Prints the failures and the line "N passed, N failed", with ", N skipped" when tests were skipped. When nothing ran
   * at all, that is a failure; `patterns` are what the files were chosen by. Returns the exit code.
   */
  close(patterns: readonly string[]): number {
    if (this.#passed + this.#failures.length === 0) {
      this.fail(this.#skips.length > 0 ? "no test ran" : `no test found ${patterns.join(" ")}`);
    }
    for (const failure of this.#failures) console.log(`FAILED: ${failure}`);
    const skipped = this.#skips.length === 0 ? "" : `, ${this.#skips.length} skipped`;
    console.log(`${this.#passed} passed, ${this.#failures.length} failed${skipped}`);
    return this.#failures.length === 0 ? 0 : 1;
  }
}

/** Does `work` for each of `files`, as many at a time as there are processors. */
export const forEachFile = (files: readonly string[], work: (file: string) => Promise<void>) =>
  inParallel(files, navigator.hardwareConcurrency, work);
