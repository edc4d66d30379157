/**
 * The one deadline of a call. A plugin's process serves a single call, so this is state of the process: everything
 * that waits (locks, children, netlink, firewall transactions) asks here how long it may, and a delegate that runs in
 * this process shares the time of the plugin that called it.
 */
import { now } from "./clock.ts";

/** Milliseconds of a whole call, where no key of the configuration says otherwise. */
export const DEFAULT_CALL_TIME = 20_000;

let end: number | undefined;

/** Gives the call so many milliseconds from now on. */
export function setDeadline(milliseconds: number): void {
  end = now() + milliseconds;
}

/**
 * Milliseconds that a step may still wait: what is left of the call, and at most `most`. Never below 0; 0 means that
 * the step may try once, without waiting.
 */
export function timeLeft(most: number = Number.POSITIVE_INFINITY): number {
  end ??= now() + DEFAULT_CALL_TIME;
  return Math.max(0, Math.min(most, end - now()));
}
