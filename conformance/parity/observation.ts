/** What a worker saw of one case. */
import type { RawState } from "./scratch-host.ts";

export interface StepObservation {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
  /** After the step; not taken after each (see ParityCase). */
  readonly state?: RawState;
}

export interface CaseObservation {
  readonly before: RawState;
  readonly steps: readonly StepObservation[];
}

/** A worker's line: what it saw, or why it could not run the case. */
export type Answer = CaseObservation | { readonly trouble: string };
