/**
 * The one deadline of a call. A plugin's process serves a single call, so this is state of the process: everything
 * that waits (locks, children, netlink, firewall transactions) asks here how long it may, and a delegate that runs in
 * this process shares the time of the plugin that called it (docs/decisions/0027-one-deadline.md).
 */
import { now } from "#engine";

/** Milliseconds of a whole call, where no key of the configuration says otherwise. */
export const DEFAULT_CALL_TIME = 20_000;

/** Milliseconds that taking back a failed ADD may last, whatever is left of the call. */
export const UNDO_TIME = 10_000;

/** In the time of now(). Undefined outside of a call, where each wait has the default for itself. */
let end: number | undefined;
let undoing = false;

/** Gives the call so many milliseconds, counted from the start of the process. The clock is not read: that is slow. */
export function limitCall(milliseconds: number): void {
  end = milliseconds;
  undoing = false;
}

/** From here on a failed call takes back what it did, with a time of its own. The first to say so counts. */
export function beginUndo(): void {
  if (!undoing) end = now() + UNDO_TIME;
  undoing = true;
}

/**
 * Milliseconds that a step may still wait: what is left of the call, and at most `most`. Never below 0; 0 means that
 * the step may try once, without waiting.
 */
export function timeLeft(most: number = Number.POSITIVE_INFINITY): number {
  const left = end === undefined ? DEFAULT_CALL_TIME : end - now();
  // No Math: the engine builds it when a function that names it is first called, for 120,000 instructions.
  const allowed = most < left ? most : left;
  return allowed > 0 ? allowed : 0;
}

/** Runs a step that others follow, with half of what is left: one that hangs does not take the others' time. */
export async function withHalfOfTheTime<T>(step: () => T | Promise<T>): Promise<T> {
  const whole = end;
  if (whole !== undefined) end = now() + timeLeft() / 2;
  try {
    return await step();
  } finally {
    end = whole;
  }
}
