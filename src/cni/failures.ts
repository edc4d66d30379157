/** Going on past errors (rules A31, A37): every step is tried, all failures are told at the end. */
import { combineErrors } from "./error.ts";

export class Failures {
  readonly #failures: unknown[] = [];

  /** Runs a step; a failure is kept and does not stop the next. */
  async attempt(step: () => void | Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#failures.push(error);
    }
  }

  /** @throws CniError with all that failed. */
  throwIfAny(): void {
    const error = combineErrors(this.#failures);
    if (error !== undefined) throw error;
  }
}
