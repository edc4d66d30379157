/** K25: README tells no difference that `npm run conformance -- differences` does not measure, and leaves none out. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readmeTable } from "../conformance/differences/difference.ts";
import { DIFFERENCES } from "../conformance/differences/differences.ts";
import { PROJECT } from "./support/test-files.ts";

/** The lines of the table below a heading. */
function tableBelow(heading: string, text: string): string[] {
  const lines = text.slice(text.indexOf(`\n${heading}\n`)).split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  return lines.slice(first, lines.indexOf("", first));
}

test("K25: README's table has the rows that are measured, word by word", () => {
  const readme = readFileSync(join(PROJECT, "README.md"), "utf8");
  expect(tableBelow("## What is different from the Go plugins", readme)).toEqual(readmeTable(DIFFERENCES));
});

test("K25: each row says what it measures, once, and the sides' facts differ", () => {
  const names = DIFFERENCES.map(({ what }) => what);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  for (const { what, withGo, withOurs, go, ours } of DIFFERENCES) {
    expect([what, withGo, withOurs].every((cell) => cell !== "" && !/[|\n]/.test(cell))).toBe(true);
    expect(Object.keys(go)).toEqual(Object.keys(ours));
    expect(go).not.toEqual(ours);
  }
});
