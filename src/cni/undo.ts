/** The way back from a half-done ADD. */

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

  /** Runs all steps, the latest first, each once. A step that fails is logged and does not stop the others. */
  async run(log: (line: string) => void): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        log(`cannot undo ${step.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
