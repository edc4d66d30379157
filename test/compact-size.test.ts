/** The host program of the compact file can be read at once, and compact/README.md says how long it is. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./support/test-files.ts";

/** Lines of Rust: those that are neither empty nor a comment, and all. */
function linesIn(text: string): { readonly code: number; readonly all: number } {
  const lines = text.trimEnd().split("\n");
  return { code: lines.filter((line) => !/^\s*(\/\/|$)/.test(line)).length, all: lines.length };
}

/** The same of all files in a folder. */
const linesOf = (folder: string) =>
  linesIn(
    readdirSync(join(PROJECT, folder))
      .map((name) => readFileSync(join(PROJECT, folder, name), "utf8"))
      .join(""),
  );

const figures = (text: string) =>
  [...text.matchAll(/\b(\d+) lines of code, (\d+)\s+with\s+comments/g)].map(([, code, all]) => ({
    code: Number(code),
    all: Number(all),
  }));

test("the host program has fewer than 700 lines of code", () => {
  expect(linesOf("compact/src").code).toBeLessThan(700);
});

test("its README gives the lines of the host program, and of what runs where the file is built", () => {
  expect(figures(readFileSync(join(PROJECT, "compact/README.md"), "utf8"))).toEqual([
    linesOf("compact/src"),
    linesOf("compact/build"),
  ]);
});

test("comments and empty lines are no code, whatever stands before them", () => {
  expect(linesIn("//! a\n\n  /// b\nuse c; // d\n\t// e\n  f();\n")).toEqual({ code: 2, all: 6 });
});
