/** K25: README tells no difference that `npm run conformance -- differences` does not measure, and leaves none out. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DIFFERENCES } from "../conformance/differences/cases.ts";
import { PROJECT } from "./support/test-files.ts";

/** The cells of the table below a heading, row by row, without its head. */
function tableBelow(heading: string, text: string): string[][] {
  const lines = text.slice(text.indexOf(`\n${heading}\n`)).split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  const rows = lines.slice(first + 2, lines.indexOf("", first));
  return rows.map((line) => line.split("|").map((cell) => cell.trim()));
}

test("K25: README's table has the rows that are measured, in their order, each with both sides", () => {
  const rows = tableBelow(
    "## What is different from the Go plugins",
    readFileSync(join(PROJECT, "README.md"), "utf8"),
  );
  expect(rows.map(([, what]) => what)).toEqual(DIFFERENCES.map(({ what }) => what));
  for (const [, what, withGo, withOurs, , ...rest] of rows)
    expect([what, withGo, withOurs, ...rest].map((cell) => cell === "")).toEqual([false, false, false, true]);
});

test("K25: each row is measured once, and the sides' facts differ", () => {
  const names = DIFFERENCES.map(({ what }) => what);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  for (const { what, shows } of DIFFERENCES)
    expect([what, Object.values(shows).some(([go, ours]) => !Bun.deepEquals(go, ours))]).toEqual([
      what,
      true,
    ]);
});
