/** The one collector of errors: whatever fails, all steps are tried, and one error has it all. */
import { describe, expect, test } from "bun:test";
import { CniError } from "../../src/cni/error.ts";
import { Failures } from "../../src/cni/failures.ts";
import { endlessTime, notedTime } from "../support/call-time.ts";

/** What is thrown after these failures. */
function combined(errors: readonly unknown[], action?: string): unknown {
  const failures = new Failures();
  for (const error of errors) failures.add(error);
  try {
    failures.throwIfAny(action);
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

describe("A31: several failures in one error", () => {
  test("have the first one's code and all messages and details", () => {
    const errors = [new CniError(5, "a", "x"), new Error("b"), new CniError(7, "c", "y")];
    expect(combined(errors)).toMatchObject({ code: 5, message: "a; b; c", details: "x; y" });
  });

  test("A31: what several steps say alike is said once", () => {
    const errors = ["a", "b", "a"].map((message) => new CniError(5, message, "x"));
    expect(combined(errors)).toMatchObject({ message: "a; b", details: "x" });
  });

  test("one is itself, none is none", () => {
    const only = new CniError(5, "a");
    expect(combined([only])).toBe(only);
    expect(combined([only], "cannot act")).toMatchObject({ code: 5, message: "cannot act: a" });
    expect(combined([])).toBeUndefined();
  });

  test("every step is tried, then all failures are thrown", async () => {
    const notes: string[] = [];
    const failures = new Failures(notedTime(notes));
    const done: string[] = [];
    await failures.attempt(() => {
      throw new CniError(5, "a");
    });
    await failures.attempt(() => Promise.reject(new Error("b")));
    await failures.attempt(() => void done.push("c"));
    await failures.attemptLast(() => void done.push("d"));
    expect(done).toEqual(["c", "d"]);
    // K8: a step that hangs leaves the others half of the time; behind the last there is none.
    expect(notes).toEqual(["half", "half", "half"]);
    expect(() => failures.throwIfAny()).toThrow("a; b");
    new Failures(endlessTime).throwIfAny();
  });
});
