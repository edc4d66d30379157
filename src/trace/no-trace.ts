/** The compact file's: none, since the words would take 25 KB of its two MiB. package.json's `imports` selects it as "#trace". */

/** Runs a call without a trace; see trace.ts. */
export { runCall as runTraced } from "../host.ts";
