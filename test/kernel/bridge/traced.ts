/** Calls of the built plugin under strace(1), which can let a system call fail. */
import { readFileSync, rmSync } from "node:fs";
import type { PluginOutcome } from "../../support/plugin-call.ts";
import type { Attachment } from "./network.ts";

const LOG = "/run/strace.log";

/** Traces these system calls of a command; `fault` says which of them strace lets fail, as in "error=EIO:when=3". */
export async function traced(
  one: Attachment,
  command: string,
  calls: string,
  fault?: string,
): Promise<{ outcome: PluginOutcome; trace: string[] }> {
  const inject = fault === undefined ? [] : [`--inject=${calls}:${fault}`];
  const words = ["strace", "-o", LOG, `--trace=${calls}`, ...inject];
  const outcome = await one.callUnder(words, one.request(command));
  const trace = readFileSync(LOG, "utf8").split("\n");
  rmSync(LOG);
  return { outcome, trace };
}
