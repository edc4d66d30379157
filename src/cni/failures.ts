/**
 * Going on past errors (rules A31, A37): every step is tried, all failures are reported at the end. None takes more than
 * half of the time that is left, but for the last.
 */
import type { CallTime } from "./call-time.ts";
import { combineErrors } from "./error.ts";

export class Failures {
  private readonly time: CallTime;
  private readonly failures: unknown[] = [];

  constructor(time: CallTime) {
    this.time = time;
  }

  /** Runs a step and gives what it gives; a failure is kept, gives undefined, and does not stop the next. */
  attempt<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    return this.attemptLast(() => this.time.half(step));
  }

  /** The same for the last step. */
  async attemptLast<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.failures.push(error);
      return undefined;
    }
  }

  /** Keeps a failure that did not stop anything. */
  add(failure: unknown): void {
    this.failures.push(failure);
  }

  /** @throws CniError with all that failed. */
  throwIfAny(): void {
    const error = combineErrors(this.failures);
    if (error !== undefined) throw error;
  }
}
