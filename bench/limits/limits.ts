/**
 * npm run bench -- limits: how much memory the plugins take, by command and for the largest inputs, and with how little
 * of what the system limits they still work. Prints the tables of docs/security.md; in a scratch host, within a minute.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "../../test/support/command.ts";
import { isolated } from "../../test/support/isolation.ts";
import { JOB_LIMIT } from "../../test/support/limits.ts";

/** Prints what the worker measures of the plugins in `binaries`. @throws Error */
export async function measureLimits(binaries: string, cache: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const peaks = join(cache, "peaks");
  await outputOf(["cc", "-O2", "-Wall", "-o", peaks, join(import.meta.dir, "peaks.c")]);
  const worker = [process.execPath, join(import.meta.dir, "worker.ts"), binaries, peaks];
  const command = isolated(worker, [binaries, peaks]);
  console.log((await outputOf(command, { timeout: JOB_LIMIT })).trimEnd());
}
