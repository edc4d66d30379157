/** The deadline of a call, for tests that wait in their own process. */
import { now } from "../../src/sys/clock.ts";
import { DEFAULT_CALL_TIME, limitCall } from "../../src/sys/deadline.ts";

/** From now on a call has so many milliseconds. */
export const withDeadline = (milliseconds: number): void => limitCall(now() + milliseconds);

/** The state of a process that serves no call, but for waits that would never end. */
export const withoutDeadline = (): void => withDeadline(100 * DEFAULT_CALL_TIME);
