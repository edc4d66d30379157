import { expect, test } from "bun:test";
import { now, pause } from "#engine";

test("time goes on while nothing else runs", () => {
  let ran = false;
  setTimeout(() => {
    ran = true;
  }, 0);
  const before = now();
  pause(5);
  // The wait may end a fraction early.
  expect(now() - before).toBeGreaterThan(4);
  expect(ran).toBe(false);
});
