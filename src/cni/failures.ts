/** Going on past errors (rules A31, A37): every step is tried, all failures are told at the end. */
import { combineErrors } from "./error.ts";

export class Failures {
  private readonly failures: unknown[] = [];

  /** Runs a step and gives what it gives; a failure is kept, gives undefined, and does not stop the next. */
  async attempt<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.failures.push(error);
      return undefined;
    }
  }

  /** @throws CniError with all that failed. */
  throwIfAny(): void {
    const error = combineErrors(this.failures);
    if (error !== undefined) throw error;
  }
}
