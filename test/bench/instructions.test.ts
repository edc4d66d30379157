import { expect, test } from "bun:test";
import { lineOf, millionsIn, recordedIn } from "../../bench/instructions.ts";

test("a figure stands beside the recorded one, that of the Bun file beside its aim, with the distances", () => {
  const words = (line: string) => line.split(/\s+/);
  const recorded = { compact: 5, bun: 10 };
  expect(words(lineOf("STATUS", { compact: 5.25, bun: 9.5, reference: 3 }, recorded, 7))).toEqual([
    ...["STATUS", "5.25", "+0.25", "9.50", "-0.50", "3.00", "7", "+2.50"],
  ]);
  expect(words(lineOf("STATUS", { bun: 9.5 }, {}, undefined))).toEqual(["STATUS", "9.50"]);
});

test("the instructions of all programs of a call are summed", () => {
  const log = (count: string) =>
    `==7==   guest instrs:  ${count}\n==7==   guest instrs : SB entered  = 59 : 10\n`;
  expect(millionsIn(`${log("1,409,980")}${log("4,000,020")}`)).toBe(5.41);
  expect(() => millionsIn("==7== nothing")).toThrow("valgrind counted nothing:\n==7== nothing");
});

test("the recorded table is read by call and side", () => {
  const table = "| ADD ipMasq | 13.48 | 21.92 | 30.10 | 14.5 |\n| ADD | 8.30 |  | 6.80 |  |\n";
  expect(recordedIn(table, "ADD")).toEqual({ compact: 8.3, reference: 6.8 });
  expect(recordedIn(table, "ADD ipMasq")).toEqual({ compact: 13.48, bun: 21.92, reference: 30.1 });
  expect(recordedIn("", "ADD")).toEqual({});
});
