import { expect, test } from "bun:test";
import { UndoStack } from "../../src/cni/undo.ts";

const ignore = () => {};

test("undo runs the latest step first and waits for each", async () => {
  const order: string[] = [];
  const undo = new UndoStack();
  undo.push("first", () => void order.push("first"));
  undo.push("second", async () => {
    await Promise.resolve();
    order.push("second");
  });
  undo.push("third", () => void order.push("third"));
  await undo.run(ignore);
  expect(order).toEqual(["third", "second", "first"]);
});

test("undo goes on past steps that fail, and logs each", async () => {
  const order: string[] = [];
  const lines: string[] = [];
  const undo = new UndoStack();
  undo.push('bridge "cni0"', () => void order.push("bridge"));
  undo.push("a promise", () => Promise.reject(new Error("rejected")));
  undo.push("a throw", () => {
    throw "text";
  });
  await undo.run((line) => lines.push(line));
  expect(order).toEqual(["bridge"]);
  expect(lines).toEqual(["cannot undo a throw: text", "cannot undo a promise: rejected"]);
});

test("undo runs each step once", async () => {
  let runs = 0;
  const undo = new UndoStack();
  undo.push("step", () => void runs++);
  await undo.run(ignore);
  await undo.run(ignore);
  expect(runs).toBe(1);
});
