/** Blocks of code in the project's documents, for tests that use what a document shows. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./test-files.ts";

export interface Block {
  /** The word behind the fence, as in "json". */
  readonly language: string;
  readonly lines: readonly string[];
}

/** The blocks below a heading of the second level, in order. @param document its path in the project */
export function blocksBelow(document: string, heading: string): Block[] {
  const [, section = ""] = readFileSync(join(PROJECT, document), "utf8").split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  return [...own.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", body = ""]) => ({
    language,
    lines: body.trimEnd().split("\n"),
  }));
}
