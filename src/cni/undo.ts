/**
 * Undoes the steps of a failed ADD. A step pushes its undo before it acts, since it can succeed and still report an error,
 * as when the kernel's answer is lost. So an undo must verify by index, MAC or alias that what it finds is from this ADD. If
 * it finds nothing, there is nothing to undo.
 */
import { useReserve } from "#engine";
import type { CallTime } from "./call-time.ts";
import { toCniError } from "./error.ts";

interface Call {
  readonly time: CallTime;
  readonly log: (line: string) => void;
}

/** The undo steps of one ADD. */
export class UndoStack {
  private readonly steps: { readonly name: string; readonly undo: () => void | Promise<void> }[] = [];

  /** `name` is what the step undoes: `bridge "cni0"`. */
  push(name: string, undo: () => void | Promise<void>): void {
    this.steps.push({ name, undo });
  }

  /** Removes the latest undo: the kernel refused the step, so there is nothing to undo. */
  drop(): void {
    this.steps.pop();
  }

  /**
   * Runs all undo steps once, the latest first, within the time of an undo. A failure is logged and does not stop the
   * other steps. Returns the failures, for the details of the error.
   */
  async run({ log, time }: Call): Promise<string[]> {
    const left: string[] = [];
    beginUndo(time);
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      const { name, undo } = step;
      const action = this.steps.length === 0 ? undo : () => time.half(undo);
      for (const failure of await attemptUndo(`cannot undo ${name}`, action, log)) left.push(failure);
    }
    return left;
  }
}

/** Runs the DEL that undoes an ADD. A failure is logged and returned, with `headline` in front. */
export function takeBack({ time, log }: Call, headline: string, del: () => Promise<void>): Promise<string[]> {
  beginUndo(time);
  return attemptUndo(headline, () => time.half(del), log);
}

/** Starts an undo, which has time and memory of its own. */
export function beginUndo(time: CallTime): void {
  time.beginUndo();
  useReserve();
}

async function attemptUndo(
  headline: string,
  action: () => void | Promise<void>,
  log: (line: string) => void,
): Promise<string[]> {
  try {
    await action();
    return [];
  } catch (error) {
    const line = `${headline}: ${toCniError(error).message}`;
    log(line);
    return [line];
  }
}
