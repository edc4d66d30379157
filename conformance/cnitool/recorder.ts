/**
 * A plugin that writes down what it is called with: variables and standard input, a file for each call. It passes
 * prevResult on, so that it can stand in a chain.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = "/run/recorder";

export interface Recorded {
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: Readonly<Record<string, unknown>>;
}

/** A folder for CNI_PATH with the plugin "recorder". */
export function installRecorder(): string {
  mkdirSync(join(FOLDER, "calls"), { recursive: true });
  const program = join(FOLDER, "recorder");
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${import.meta.path}\n`);
  chmodSync(program, 0o755);
  return FOLDER;
}

/** What was recorded since the last time, in order. */
export function takeRecorded(): Recorded[] {
  const folder = join(FOLDER, "calls");
  const files = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
  return files.map((file) => {
    const recorded = JSON.parse(readFileSync(file, "utf8")) as Recorded;
    rmSync(file);
    return recorded;
  });
}

export const removeRecorder = (): void => rmSync(FOLDER, { recursive: true, force: true });

if (import.meta.main) {
  const stdin = JSON.parse(await Bun.stdin.text()) as Record<string, unknown>;
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name.startsWith("CNI_")),
  );
  const count = readdirSync(join(FOLDER, "calls")).length;
  const file = join(FOLDER, "calls", String(count).padStart(3, "0"));
  writeFileSync(file, JSON.stringify({ environment, stdin }));
  if (process.env.CNI_COMMAND === "ADD") console.log(JSON.stringify(stdin.prevResult));
}
