/**
 * docs/rules.md and those who cite it hold together: each rule that code, tests and documents cite stands there, and
 * each rule that stands there is cited by a test.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "./support/test-files.ts";

const RULES = "docs/rules.md";

/** A citation: one of the letters and at most two digits, as in "A5" or "(rules B10–B12, G21)". S32 is a type of netlink. */
const CITATION = /(?<![\w.#/-])(?!S32\b)[ABFGHKLMOPRST][1-9]\d?(?![\w-])/g;

interface Text {
  readonly path: string;
  readonly text: string;
}

const citedBy = (texts: readonly Text[]): ReadonlyMap<string, string> =>
  new Map(texts.flatMap(({ path, text }) => [...text.matchAll(CITATION)].map(([rule]) => [rule, path])));

/** The numbers in the first column of the tables, in their order. */
const rulesIn = (page: string): string[] =>
  [...page.matchAll(/^\| ([A-Z]\d+) \|/gm)].flatMap(([, rule]) => rule ?? []);

/** What is wrong with a page of rules beside the texts that cite them. */
function complaints(page: string, { tests, others }: { tests: readonly Text[]; others: readonly Text[] }) {
  const rules = rulesIn(page);
  const cited = citedBy([...others, ...tests]);
  const proven = citedBy(tests);
  return [
    ...[...cited].filter(([rule]) => !rules.includes(rule)).map(([rule, path]) => `${path} cites ${rule}`),
    ...rules.filter((rule) => !proven.has(rule)).map((rule) => `no test cites ${rule}`),
    ...rules.filter((rule, index) => rules.indexOf(rule) !== index).map((rule) => `${rule} stands twice`),
  ];
}

const textsOf = (pattern: string): Text[] =>
  [...new Bun.Glob(pattern).scanSync(PROJECT)]
    .filter((path) => path !== RULES && path !== "test/rules.test.ts")
    .map((path) => ({ path, text: readFileSync(join(PROJECT, path), "utf8") }));

describe("the rules", () => {
  test("each one that is cited stands in docs/rules.md, and a test cites each that stands there", () => {
    const tests = textsOf("{test,conformance}/**/*.ts");
    const others = ["src/**/*.ts", "{bench,demo,build}/**/*.ts", "docs/**/*.md", "*.md"].flatMap(textsOf);
    expect(tests.length).toBeGreaterThan(100);
    expect(complaints(readFileSync(join(PROJECT, RULES), "utf8"), { tests, others })).toEqual([]);
  });

  test("a number that does not exist, a rule without a test and a rule that stands twice are found", () => {
    const page = "| A1 | one | spec |\n| A2 | two | spec |\n| A2 | again | spec |\n";
    const tests = [{ path: "x.test.ts", text: 'test("A1, B3: …")' }];
    const others = [
      { path: "x.ts", text: "/** As rule A4 says. SHA-512, x86, EXIT_A9 and A99x are not citations. */" },
    ];
    expect(complaints(page, { tests, others })).toEqual([
      ...["x.ts cites A4", "x.test.ts cites B3", "no test cites A2", "no test cites A2"],
      "A2 stands twice",
    ]);
  });
});
