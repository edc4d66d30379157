/** The form of what `bridgehead explain` prints. */

/**
 * A well-known error: a regular expression of its text, in any case; a title; the cause; how to look at it; what to do; and
 * public issues where users met it.
 */
export type ErrorRow = readonly [
  text: string,
  title: string,
  cause: string,
  look: string,
  remedy: string,
  issues: string,
];

/** The explanation of a finding, a key or an error. Empty parts are left out. */
export interface Explanation {
  readonly kind: "finding" | "key" | "error";
  /** A code, the path of a key, or the known part of an error's text. */
  readonly name: string;
  readonly title: string;
  readonly cause: string;
  readonly look: string;
  readonly remedy: string;
  /** As in "plugins#252". */
  readonly issues: readonly string[];
}
