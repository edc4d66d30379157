/** Skips that are right on the machine that runs the CI. Any other skip fails there. */

export interface ExpectedSkip {
  /** Matches the file and the name of the test, "test/kernel/vlan.test.ts > …". */
  readonly test: RegExp;
  readonly cause: RegExp;
}

export const EXPECTED_SKIPS: readonly ExpectedSkip[] = [];
