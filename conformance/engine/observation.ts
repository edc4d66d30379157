/** What a worker saw of one case. */
import type { RawState } from "./host.ts";

export interface StepObservation {
  readonly label: string;
  /** Of a call: its CNI_COMMAND, and the version that its configuration has. */
  readonly call?: { readonly command: string; readonly version: string };
  readonly exitCode: number;
  readonly stdout: string;
  /** Where it is compared. */
  readonly stderr?: string;
  /** After the step, where it was looked at. */
  readonly state?: RawState;
}

/** A rule was broken. */
export interface Problem {
  /** What was seen, and how it breaks the rule: "DEL: A20: …". */
  readonly text: string;
  /** How many steps had been taken by then. */
  readonly steps: number;
}

export interface Observation {
  readonly steps: readonly StepObservation[];
  readonly problems: readonly Problem[];
  /** Cells for a table of the suite's own. */
  readonly notes: readonly string[];
}

/** A worker's line: what it saw, or why it could not run the case. */
export type Report = Observation | { readonly trouble: string };
