/** K9: a message lists only the first addresses of a container that has many. */
import { expect, test } from "bun:test";
import { LimitedList } from "../../src/links/limited-list.ts";

const textOf = (count: number): string => {
  const some = new LimitedList();
  for (let index = 1; index <= count; index++) some.add(`a${index}`);
  expect(some.count).toBe(count);
  return some.text;
};

test("K9: lists none, a few or the first eight of many", () => {
  expect(textOf(0)).toBe("none");
  expect(textOf(2)).toBe("a1, a2");
  expect(textOf(8)).toBe("a1, a2, a3, a4, a5, a6, a7, a8");
  expect(textOf(9)).toBe("a1, a2, a3, a4, a5, a6, a7, a8 and 1 more");
  expect(textOf(100_000)).toEndWith("a8 and 99992 more");
});
