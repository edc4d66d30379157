/**
 * Where the two sides may differ, and by which row of docs/rules.md. An entry says the exact fact, what each side has
 * there, and in which situation; anything else at the same place is a failure, and so is an entry that never occurs.
 */
import { versionIn } from "./answer.ts";
import type { ComparedStep } from "./comparison.ts";
import { RULES } from "./rules.ts";
import type { ABSENT, Fact, Side } from "./tree.ts";

/** What a side must have: a value, a text that matches, or what a function accepts. */
export type Expected = Fact | typeof ABSENT | RegExp | ((side: Side, compared: ComparedStep) => boolean);

export interface Reason {
  /** As in docs/rules.md: G1, L2, A17, … */
  readonly row: string;
  /** What the text of the rule does not say. */
  readonly because?: string;
}

/** As it stands below the table. */
export const reasonText = ({ row, because = RULES.get(row) }: Reason): string => `${row}: ${because}`;

interface Situation extends Reason {
  /** Names of cases; all when left out. */
  readonly cases?: RegExp;
  /** Whether it occurs is chance: the one kind of entry that need not. */
  readonly chance?: true;
  /** What it is counted with; by itself when left out. */
  readonly of?: unknown;
}

/** A fact that is not the same on both sides. */
export interface Deviation extends Situation {
  /** Path of the fact, joined by " > "; a part "*" stands for any one name. */
  readonly path: string | RegExp;
  /** Nothing at all when left out. */
  readonly reference?: Expected;
  readonly ours?: Expected;
  readonly when?: (compared: ComparedStep) => boolean;
}

/** A rule that the reference breaks, in the words of the case. */
export interface Breach extends Situation {
  readonly breaks: RegExp;
}

export type Exception = Deviation | Breach;

/** Whether the step is a call with this command. */
export const isCall = ({ step }: ComparedStep, command: string): boolean => step.call?.command === command;

export const versionOf = ({ step }: ComparedStep): string => step.call?.version ?? versionIn("");
