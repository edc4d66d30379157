/** The call's deadline. The clock goes on while these run, so that they compare and never measure. */
import { afterEach, expect, test } from "bun:test";
import { now } from "#engine";
import { beginUndo, limitCall, timeLeft, UNDO_TIME, withHalfOfTheTime } from "../../src/sys/deadline.ts";
import { withoutDeadline } from "../support/call-time.ts";

afterEach(withoutDeadline);

const HOUR = 3_600_000;

test("K8: what is left grows less and never falls below nothing", () => {
  limitCall(now() + HOUR);
  const left = timeLeft();
  expect(left).toBeLessThanOrEqual(HOUR);
  expect(left).toBeGreaterThan(HOUR / 2);
  expect(timeLeft()).toBeLessThanOrEqual(left);
  expect(timeLeft(10)).toBe(10);
  limitCall(0);
  expect(timeLeft()).toBe(0);
  expect(timeLeft(10)).toBe(0);
});

test("K8: an undo has a time of its own, also after the call's, and begins once", () => {
  limitCall(0);
  beginUndo();
  const left = timeLeft();
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(UNDO_TIME);
  while (timeLeft() === left);
  beginUndo();
  expect(timeLeft()).toBeLessThan(left);
});

test("K8: an undo is no longer than its time when much of the call is left", () => {
  limitCall(now() + HOUR);
  beginUndo();
  expect(timeLeft()).toBeLessThanOrEqual(UNDO_TIME);
});

test("K8: of steps that follow each other none takes more than half, and the others get theirs", async () => {
  limitCall(now() + HOUR);
  const whole = timeLeft();
  await expect(
    withHalfOfTheTime(async () => {
      expect(timeLeft()).toBeLessThanOrEqual(whole / 2);
      await withHalfOfTheTime(() => expect(timeLeft()).toBeLessThanOrEqual(whole / 4));
      expect(timeLeft()).toBeGreaterThan(whole / 4);
      throw new Error("it failed");
    }),
  ).rejects.toThrow("it failed");
  expect(timeLeft()).toBeGreaterThan(whole / 2);
});
