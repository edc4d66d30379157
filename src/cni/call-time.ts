/** The time limit of one call. The program's main function implements it, since the protocol has no clock. */
export interface CallTime {
  /** Sets the milliseconds of the whole call, from its start. */
  limit(milliseconds: number): void;
  /** Starts the separate time limit for undoing a failed ADD. Only the first call counts. */
  beginUndo(): void;
  /** Runs a step within half of the time that is left, so that later steps have time even if it hangs. */
  half<T>(step: () => T | Promise<T>): Promise<T>;
}
