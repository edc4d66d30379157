/** The way back from a half-done ADD. */
import { toCniError } from "./error.ts";
import type { Request } from "./plugin.ts";

interface Step {
  readonly name: string;
  readonly undo: () => void | Promise<void>;
}

/** Steps that take back what was done. A failed ADD runs them; a successful one forgets them. */
export class UndoStack {
  private readonly steps: Step[] = [];

  /** `name` says what the step takes back: `bridge "cni0"`. */
  push(name: string, undo: () => void | Promise<void>): void {
    this.steps.push({ name, undo });
  }

  /**
   * Runs all steps, the latest first, each once, in the time that an undo has. A step that fails is logged and does not
   * stop the others. Returns what could not be undone, for the details of the error.
   */
  async run({ log, time }: Pick<Request, "log" | "time">): Promise<string[]> {
    const left: string[] = [];
    time.beginUndo();
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await (this.steps.length === 0 ? step.undo() : time.half(step.undo));
      } catch (error) {
        const line = `cannot undo ${step.name}: ${toCniError(error).message}`;
        log(line);
        left.push(line);
      }
    }
    return left;
  }
}
