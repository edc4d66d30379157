/** The time of one call, given by main: the protocol has no clock. It says how long a step may wait. */
export interface CallTime {
  /** Sets the milliseconds of the whole call, from its start. */
  limit(milliseconds: number): void;
  /** From now on a failed ADD is taken back, with a time of its own. The first to say so counts. */
  beginUndo(): void;
  /** Runs a step that others follow, with half of what is left: one that hangs does not take the others' time. */
  half<T>(step: () => T | Promise<T>): Promise<T>;
}
