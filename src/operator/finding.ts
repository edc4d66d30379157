/** What `validate` and `doctor` report: one finding each, with a code that `explain` explains (O7). */
import { CODES } from "./codes/codes.ts";
import type { Level } from "./codes/row.ts";

/** The code of a finding. */
export type Code = (typeof CODES)[number][0];

/** How grave findings of that code are. */
export function levelOf(code: Code): Level {
  for (const [name, level] of CODES) if (name === code) return level;
  return "fail";
}

/** Words for people. */
export const LEVEL_WORDS: Readonly<Record<Level, string>> = { fail: "error", warn: "warning", note: "note" };
