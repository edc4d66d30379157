/** Continues after errors (rules A31, A37): every step is tried, then all failures are reported as one error. */
import type { CallTime } from "./call-time.ts";
import { CniError, toCniError } from "./error.ts";

/** Collects the errors of the steps of a command, or of a loop that must reach its end. */
export class Failures {
  private readonly time: CallTime | undefined;
  private readonly failures: unknown[] = [];

  /** With `time`, each step but the last gets half of the time that is left. */
  constructor(time?: CallTime) {
    this.time = time;
  }

  /** Runs a step and returns its value; a failure is kept and gives undefined. */
  attempt<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    const { time } = this;
    return this.attemptLast(time === undefined ? step : () => time.half(step));
  }

  /** The same for the last step, which gets all the time that is left. */
  async attemptLast<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.add(error);
      return undefined;
    }
  }

  add(failure: unknown): void {
    this.failures.push(failure);
  }

  /**
   * Throws the failures, if there are any. A single one is thrown as it is; several become one error with the code of the
   * first and each different message once. `action` is put in front of the message.
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
