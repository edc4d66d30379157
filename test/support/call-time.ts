/** The deadline of a call, for tests that wait in their own process. */

import { now } from "#engine";
import type { CallTime } from "../../src/cni/call-time.ts";
import { DEFAULT_CALL_TIME, limitCall } from "../../src/sys/deadline.ts";

/** From now on a call has so many milliseconds. */
export const withDeadline = (milliseconds: number): void => limitCall(now() + milliseconds);

/** The state of a process that serves no call, but for waits that would never end. */
export const withoutDeadline = (): void => withDeadline(100 * DEFAULT_CALL_TIME);

/** The time of a call that may last for ever. */
export const endlessTime: CallTime = { limit: () => {}, beginUndo: () => {}, half: async (step) => step() };

/** The time of a call that notes what it is told: "limit 5000", "undo", "half". */
export function notedTime(notes: string[]): CallTime {
  return {
    limit: (milliseconds) => void notes.push(`limit ${milliseconds}`),
    beginUndo: () => void notes.push("undo"),
    half: async (step) => {
      notes.push("half");
      return step();
    },
  };
}
