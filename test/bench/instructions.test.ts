import { expect, test } from "bun:test";
import { lineOf } from "../../bench/instructions.ts";

test("a figure stands beside the recorded one and the aim, with the distance to both", () => {
  const words = (line: string) => line.split(/\s+/);
  expect(words(lineOf("STATUS", 9.5, 10, 7))).toEqual(["STATUS", "9.50", "10.00", "-0.50", "7", "+2.50"]);
  expect(words(lineOf("STATUS", 9.5, undefined, undefined))).toEqual(["STATUS", "9.50"]);
});
