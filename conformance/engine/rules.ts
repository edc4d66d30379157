/** The rules of docs/rules.md by their numbers. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PAGE = readFileSync(join(dirname(dirname(import.meta.dir)), "docs/rules.md"), "utf8");

export const RULES: ReadonlyMap<string, string> = new Map(
  [...PAGE.matchAll(/^\| ([A-Z]\d+) \| (.*?) \|/gm)].map(([, number = "", text = ""]) => [number, text]),
);
