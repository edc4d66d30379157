/** Calls of the built plugin under strace(1), which can let a system call fail. */
import { readFileSync, rmSync } from "node:fs";
import { PluginOutcome } from "../../support/plugin-call.ts";
import type { Attachment } from "./network.ts";

const LOG = "/run/strace.log";

const RESULT = "/run/result";

/** What strace lets fail: "error=EIO:when=3", of all calls or of those on a file. */
export interface Fault {
  readonly what: string;
  readonly path?: string;
}

/** Traces these system calls of a command; in the lines of the trace stand the paths of descriptors. */
export async function traced(
  one: Attachment,
  command: string,
  calls: string,
  { what, path }: Partial<Fault> = {},
): Promise<{ outcome: PluginOutcome; trace: string[] }> {
  const strace = ["strace", "-y", "-o", LOG, `--trace=${calls}`];
  if (path !== undefined) strace.push("-P", path);
  if (what !== undefined) strace.push(`--inject=${calls}:${what}`);
  // Its standard output is a file, which has a path as well.
  const words = [...strace, "/bin/sh", "-c", `exec "$@" >${RESULT}`, "sh"];
  const { exitCode, stderr } = await one.callUnder(words, one.request(command));
  const [stdout = "", log = ""] = [RESULT, LOG].map((file) => readFileSync(file, "utf8"));
  for (const file of [RESULT, LOG]) rmSync(file);
  return { outcome: new PluginOutcome(exitCode, stdout, stderr), trace: log.split("\n") };
}
