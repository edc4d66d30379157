/** Going on past errors (rules A31, A37): every step is tried, and all failures are reported at the end, as one error. */
import type { CallTime } from "./call-time.ts";
import { CniError, toCniError } from "./error.ts";

/** The one collector of errors: for steps of a command, and for loops that must reach their end. */
export class Failures {
  private readonly time: CallTime | undefined;
  private readonly failures: unknown[] = [];

  /** With `time`, no step but the last takes more than half of what is left of it. */
  constructor(time?: CallTime) {
    this.time = time;
  }

  /** Runs a step and gives what it gives; a failure is kept, gives undefined, and does not stop the next. */
  attempt<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    const { time } = this;
    return this.attemptLast(time === undefined ? step : () => time.half(step));
  }

  /** The same for the last step. */
  async attemptLast<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.add(error);
      return undefined;
    }
  }

  /** Keeps a failure that did not stop anything. */
  add(failure: unknown): void {
    this.failures.push(failure);
  }

  /**
   * Throws what was kept, if anything was: one failure as it is; several with the code of the first and all messages, each
   * said once. `action` is what has failed, in front of them.
   * @throws CniError
   */
  throwIfAny(action?: string): void {
    const errors = this.failures.map(toCniError);
    const [first] = errors;
    if (first === undefined) return;
    const all = (text: (error: CniError) => string): string =>
      [...new Set(errors.map(text).filter((each) => each !== ""))].join("; ");
    const error =
      errors.length === 1
        ? first
        : new CniError(
            first.code,
            all(({ message }) => message),
            all(({ details }) => details),
            { cause: first, remark: all(({ remark }) => remark) },
          );
    throw action === undefined ? error : error.during(action);
  }
}
