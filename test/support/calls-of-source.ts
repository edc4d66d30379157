/** The system calls that src makes, with their numbers on either processor, as they stand in its text. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./test-files.ts";

/** One for each place in src. */
export function systemCalls(): { name: string; x64: number; arm64: number }[] {
  return [...new Bun.Glob("src/**/*.ts").scanSync(PROJECT)].flatMap((path) =>
    [
      ...readFileSync(join(PROJECT, path), "utf8").matchAll(
        /\b(?:call|attempt)\(\s*"(\w+)",\s*(\d+),\s*(\d+)\b/g,
      ),
    ].map(([, name = "", x64, arm64]) => ({ name, x64: Number(x64), arm64: Number(arm64) })),
  );
}
