/**
 * The deadline of a call. It is global, since a process serves a single call. Everything that waits (locks, children,
 * netlink, firewall transactions) gets its limit here. A delegate that runs in this process shares the time of the plugin
 * that called it (docs/decisions/0027-one-deadline.md).
 */
import { now } from "#engine";
import { tell } from "./syscall.ts";

/** Milliseconds of a whole call, unless the configuration sets another limit. */
export const DEFAULT_CALL_TIME = 20_000;

/** Milliseconds that the undo of a failed ADD may take, whatever is left of the call. */
export const UNDO_TIME = 10_000;

/** On the clock of now(). Undefined outside of a call: then each wait has the default limit. */
let end: number | undefined;
let undoing = false;

/** Gives the call so many milliseconds, counted from the start of the process, so that the clock, which is slow, is not read. */
export function limitCall(milliseconds: number): void {
  end = milliseconds;
  undoing = false;
}

/** Starts the undo of a failed call, which has its own time limit. Only the first call has an effect. */
export function beginUndo(): void {
  if (!undoing) {
    end = now() + UNDO_TIME;
    tell?.("undo what this call has made");
  }
  undoing = true;
}

/**
 * Milliseconds that a step may still wait: what is left of the call, at most `most`, at least 0. With 0 the step may try
 * once, without waiting.
 */
export function timeLeft(most: number = Number.POSITIVE_INFINITY): number {
  const left = end === undefined ? DEFAULT_CALL_TIME : end - now();
  // No Math: the engine builds it when a function that names it is first called, for 120,000 instructions.
  const allowed = most < left ? most : left;
  return allowed > 0 ? allowed : 0;
}

/** Runs a step with half of the time left, so that a step that hangs leaves time for those that follow. */
export async function withHalfOfTheTime<T>(step: () => T | Promise<T>): Promise<T> {
  const whole = end;
  if (whole !== undefined) end = now() + timeLeft() / 2;
  try {
    return await step();
  } finally {
    end = whole;
  }
}
