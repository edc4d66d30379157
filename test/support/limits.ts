/**
 * How long tests wait before they give up. None of these measures speed, which is done in bench: a busy machine takes
 * many times as long for everything. Each limit is shorter than those around it, so that the innermost wait is the one
 * that tells what did not come.
 */

/** Milliseconds for a state that `eventually` waits for. */
export const STATE_LIMIT = 60_000;

/** Milliseconds for a command. */
export const COMMAND_LIMIT = 120_000;

/** Milliseconds for a test. */
export const TEST_LIMIT = 240_000;

/** Milliseconds in which a process that runs tests says nothing: a test has neither ended nor run into its limit. */
export const SILENCE_LIMIT = 300_000;

/** Milliseconds for a program that gets, builds or proves something large, and may say nothing until it is done. */
export const JOB_LIMIT = 900_000;

/** What is said of anything that ran into one of them. */
export const timedOut = (milliseconds: number): string => `timed out after ${milliseconds / 1000} s`;
