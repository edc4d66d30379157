/**
 * The way back from a half-done ADD. A step pushes its undo *before* it acts: it may act and fail all the same, as when the
 * kernel's answer is lost. So an undo proves that what it finds is this ADD's, by index, MAC or alias; what it does not
 * find is undone.
 */
import type { CallTime } from "./call-time.ts";
import { toCniError } from "./error.ts";

/** What an undo needs of a request. */
interface Call {
  readonly time: CallTime;
  readonly log: (line: string) => void;
}

/**
 * Steps that take back what was done. A failed ADD runs them; a successful one forgets them. Each is pushed before what it
 * takes back is tried, since the answer may be lost: so it proves first that what it finds is ours.
 */
export class UndoStack {
  private readonly steps: { readonly name: string; readonly undo: () => void | Promise<void> }[] = [];

  /** `name` says what the step takes back: `bridge "cni0"`. */
  push(name: string, undo: () => void | Promise<void>): void {
    this.steps.push({ name, undo });
  }

  /** Takes the latest step off: it was refused, so that there is nothing of it to take back. */
  drop(): void {
    this.steps.pop();
  }

  /**
   * Runs all steps, the latest first, each once, in the time that an undo has. A step that fails is logged and does not
   * stop the others. Returns what could not be undone, for the details of the error.
   */
  async run({ log, time }: Call): Promise<string[]> {
    const left: string[] = [];
    time.beginUndo();
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      const { name, undo } = step;
      const action = this.steps.length === 0 ? undo : () => time.half(undo);
      left.push(...(await attemptUndo(`cannot undo ${name}`, action, log)));
    }
    return left;
  }
}

/** Runs the DEL that takes an ADD back. What it could not do is logged and returned, with `headline` in front. */
export function takeBack({ time, log }: Call, headline: string, del: () => Promise<void>): Promise<string[]> {
  time.beginUndo();
  return attemptUndo(headline, () => time.half(del), log);
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
