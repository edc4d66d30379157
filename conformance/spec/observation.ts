/** What a worker saw of one case. */
import type { Tree } from "../parity/tree.ts";
import type { State } from "./state.ts";

/** A rule that was broken. */
export interface Problem {
  /** What was seen, and how it breaks the rule: "DEL: A20: …". */
  readonly text: string;
  /** How many calls had been answered by then. */
  readonly calls: number;
}

export interface Observation {
  /** What a call gave, by its label. */
  readonly facts: Readonly<Record<string, Tree>>;
  readonly problems: readonly Problem[];
  /** At the end of the case. */
  readonly state: State;
  readonly milliseconds: number;
}

/** A worker's line: what it saw, or why it could not run the case. */
export type Report = Observation | { readonly trouble: string };
