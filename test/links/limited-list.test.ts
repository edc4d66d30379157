/** K9: a message holds the first of many, however many a container has. */
import { expect, test } from "bun:test";
import { LimitedList } from "../../src/links/limited-list.ts";

const textOf = (count: number): string => {
  const some = new LimitedList();
  for (let index = 1; index <= count; index++) some.add(`a${index}`);
  expect(some.count).toBe(count);
  return some.text;
};

test("none, a few, many", () => {
  expect(textOf(0)).toBe("none");
  expect(textOf(2)).toBe("a1, a2");
  expect(textOf(8)).toBe("a1, a2, a3, a4, a5, a6, a7, a8");
  expect(textOf(9)).toBe("a1, a2, a3, a4, a5, a6, a7, a8 and 1 more");
  expect(textOf(100_000)).toEndWith("a8 and 99992 more");
});
