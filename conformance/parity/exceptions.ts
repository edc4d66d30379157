/**
 * Where the two sides may differ, and by which row of the specs. An entry says the exact fact, what each side has
 * there, and in which situation; anything else at the same place is a failure, and so is an entry that never occurs.
 * Rows P1, P2, … are differences on purpose that the specs have no row for.
 */
import type { ComparedStep } from "./comparison.ts";
import { FIELDS } from "./exceptions/fields.ts";
import { LEFTOVERS } from "./exceptions/leftovers.ts";
import { OUTCOMES } from "./exceptions/outcomes.ts";
import type { ABSENT, Fact, Side } from "./tree.ts";

/** What a side must have: a value, nothing at all, a text that matches, or what a function accepts. */
export type Expected = Fact | typeof ABSENT | RegExp | ((side: Side, compared: ComparedStep) => boolean);

export interface Exception {
  /** As in the specs: G1, L2, A17, … */
  readonly row: string;
  readonly because: string;
  /** Path of the fact, joined by " > "; a part "*" stands for any one name. */
  readonly path: string | RegExp;
  readonly reference: Expected;
  readonly ours: Expected;
  readonly when?: (compared: ComparedStep) => boolean;
}

export const EXCEPTIONS: readonly Exception[] = [...FIELDS, ...LEFTOVERS, ...OUTCOMES];
