/** The form of the tables of findings: `validate` and `doctor` report them by their codes, and `explain` explains them. */

/**
 * One kind of finding: its code, which never changes its meaning; how grave it is; a title; the likely cause; how to look
 * at it; what to do; and public issues about it.
 *
 * | level | meaning |
 * |---|---|
 * | `fail` | containers cannot be added, or reached, or something does not do what is written |
 * | `warn` | it works, and will surprise someone |
 * | `note` | worth knowing; counts for nothing |
 */
export type CodeRow = readonly [
  code: `BH${number}`,
  level: "fail" | "warn" | "note",
  title: string,
  cause: string,
  look: string,
  remedy: string,
  issues: string,
];

/** How grave a finding is. */
export type Level = CodeRow[1];
