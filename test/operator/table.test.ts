/** O3: tables, colours and documents. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { documentText, exactNumber } from "../../src/operator/document.ts";
import { formatTable, printable } from "../../src/operator/table.ts";

const COLUMNS = [
  { title: "ADDRESS" },
  { title: "CONTAINER", least: 7 },
  { title: "N", align: "right" },
] as const;
const pipe = { columns: Number.POSITIVE_INFINITY, colour: false };

describe("O3: a table", () => {
  test("has aligned columns, and no blanks at the end of a line", () => {
    expect(
      formatTable(
        COLUMNS,
        [
          ["10.1.2.3", "c1", "7"],
          ["10.1.2.10", "c2", "12"],
          ["::", ""],
        ],
        pipe,
      ),
    ).toBe(
      ["ADDRESS    CONTAINER   N", "10.1.2.3   c1          7", "10.1.2.10  c2         12", "::\n"].join("\n"),
    );
  });

  test("is shortened in the middle of the columns that allow it, only on a terminal", () => {
    const id = "0123456789abcdef".repeat(4);
    const rows = [["10.1.2.3", id, "1"]];
    expect(formatTable(COLUMNS, rows, pipe)).toContain(id);
    const lines = formatTable(COLUMNS, rows, { columns: 40, colour: false }).split("\n");
    expect(lines[1]).toHaveLength(40);
    expect(lines[1]).toMatch(/^10\.1\.2\.3 {2}0123456789abc…[0-9a-f]+def {2}1$/);
  });

  test("fits any terminal that has room for the shortest form", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ maxLength: 9 }), fc.string({ maxLength: 99 }), fc.nat(99))),
        fc.integer({ min: 60, max: 200 }),
        (rows, columns) => {
          const cells = rows.map(([a, b, n]) => [a, b, String(n)]);
          for (const line of formatTable(COLUMNS, cells, { columns, colour: false }).split("\n"))
            expect([...line].length).toBeLessThanOrEqual(columns);
        },
      ),
    );
  });

  test("has colours only where they may be used", () => {
    const rows = [[{ text: "dead", colour: "bad" } as const, "c1", "1"]];
    expect(formatTable(COLUMNS, rows, pipe)).not.toContain("\x1b");
    expect(formatTable(COLUMNS, rows, { ...pipe, colour: true })).toContain("\x1b[31mdead\x1b[0m ");
  });

  test("shows control characters of names as escapes", () => {
    expect(printable("a\x1b[2Jb\nc\u202e")).toBe("a\\x1b[2Jb\\x0ac\\u{202e}");
    expect(formatTable(COLUMNS, [["\x1b", "\n", ""]], pipe).split("\n")).toHaveLength(3);
  });
});

describe("O3: a document", () => {
  test("begins with its version, and has all digits of a number", () => {
    expect(documentText({ total: exactNumber(2n ** 64n), name: undefined })).toBe(
      '{\n  "version": 1,\n  "total": 18446744073709551616\n}\n',
    );
  });
});
