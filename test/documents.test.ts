/** The documents hold together: each link leads somewhere, and each decision has a number of its own. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { complaints, complaintsIn } from "./support/links.ts";
import { PROJECT } from "./support/test-files.ts";

/** Files whose name begins with a number that an earlier one has, or whose title has another number. */
function numberComplaints(decisions: readonly { path: string; text: string }[]): string[] {
  const numbers = decisions.map(({ path }) => basename(path).slice(0, 4));
  return decisions.flatMap(({ path, text }, index) => [
    ...(numbers.indexOf(numbers[index] ?? "") === index ? [] : [`${path}: its number is taken`]),
    ...(text.startsWith(`# ${numbers[index]}: `) ? [] : [`${path}: its title has another number`]),
  ]);
}

const documents = ["*.md", "{compact,deploy,docs,src}/**/*.md"]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(PROJECT)].sort())
  .map((path) => ({ path, text: readFileSync(join(PROJECT, path), "utf8") }));

describe("the documents", () => {
  test("each link leads to a file and a heading", () => {
    expect(documents.length).toBeGreaterThan(30);
    expect(
      complaintsIn(
        PROJECT,
        documents.map(({ path }) => path),
      ),
    ).toEqual([]);
  });

  test("each decision has a number of its own", () => {
    const decisions = documents.filter(({ path }) => path.startsWith("docs/decisions/"));
    expect(decisions.length).toBeGreaterThan(30);
    expect(numberComplaints(decisions)).toEqual([]);
  });

  test("links that lead nowhere are found, and those in code are none", () => {
    const text =
      "# A `b`: c\n[x](#a-b-c) [x](#d) [x](y.md#e) [x](z.md) [x](https://e.org)\n```\n[x](z.md)\n```\n";
    const others: Record<string, string> = { "docs/y.md": "## E\n```\n# f\n```" };
    expect(complaints("docs/x.md", `${text}[x](y.md#f)`, (path) => others[path])).toEqual([
      "docs/x.md links to #d: there is no such heading",
      "docs/x.md links to z.md: there is no such file",
      "docs/x.md links to y.md#f: there is no such heading",
    ]);
  });

  test("a number that two decisions have, and a title with another number, are found", () => {
    const decisions = [
      { path: "d/0001-a.md", text: "# 0001: A" },
      { path: "d/0001-b.md", text: "# 0001: B" },
      { path: "d/0002-c.md", text: "# 0003: C" },
    ];
    expect(numberComplaints(decisions)).toEqual([
      "d/0001-b.md: its number is taken",
      "d/0002-c.md: its title has another number",
    ]);
  });
});
