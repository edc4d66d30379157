import { expect, test } from "bun:test";
import { UndoStack } from "../../src/cni/undo.ts";
import { endlessTime, notedTime } from "../support/call-time.ts";

const quiet = { log: () => {}, time: endlessTime };

test("undo runs the latest step first and waits for each", async () => {
  const order: string[] = [];
  const undo = new UndoStack();
  undo.push("first", () => void order.push("first"));
  undo.push("second", async () => {
    await Promise.resolve();
    order.push("second");
  });
  undo.push("third", () => void order.push("third"));
  expect(await undo.run(quiet)).toEqual([]);
  expect(order).toEqual(["third", "second", "first"]);
});

test("undo continues after steps that fail, and logs and returns each failure", async () => {
  const order: string[] = [];
  const lines: string[] = [];
  const undo = new UndoStack();
  undo.push('bridge "cni0"', () => void order.push("bridge"));
  undo.push("a promise", () => Promise.reject(new Error("rejected")));
  undo.push("a throw", () => {
    throw "text";
  });
  const left = await undo.run({ ...quiet, log: (line) => lines.push(line) });
  expect(order).toEqual(["bridge"]);
  expect(lines).toEqual(["cannot undo a throw: text", "cannot undo a promise: rejected"]);
  expect(left).toEqual(lines);
});

test("undo runs each step once", async () => {
  let runs = 0;
  const undo = new UndoStack();
  undo.push("step", () => void runs++);
  await undo.run(quiet);
  await undo.run(quiet);
  expect(runs).toBe(1);
});

test("K8: undo has its own time limit, of which each step but the last gets half", async () => {
  const notes: string[] = [];
  const undo = new UndoStack();
  for (const name of ["first", "second", "third"]) undo.push(name, () => void notes.push(name));
  await undo.run({ log: () => {}, time: notedTime(notes) });
  expect(notes).toEqual(["undo", "half", "third", "half", "second", "first"]);
});

test("a step that was refused is not undone", async () => {
  const order: string[] = [];
  const undo = new UndoStack();
  undo.push("made", () => void order.push("made"));
  undo.push("refused", () => void order.push("refused"));
  undo.drop();
  await undo.run(quiet);
  expect(order).toEqual(["made"]);
});
