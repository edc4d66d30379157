/** Tests the collector of errors: all steps are tried, and one error reports all failures. */
import { describe, expect, test } from "bun:test";
import { CniError } from "../../src/cni/error.ts";
import { Failures } from "../../src/cni/failures.ts";
import { endlessTime, notedTime } from "../support/call-time.ts";

/** The error that is thrown after these failures. */
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
  test("has the first one's code and all messages and details", () => {
    const errors = [new CniError(5, "a", "x"), new Error("b"), new CniError(7, "c", "y")];
    expect(combined(errors)).toMatchObject({ code: 5, message: "a; b; c", details: "x; y" });
  });

  test("A31: equal messages appear once", () => {
    const errors = ["a", "b", "a"].map((message) => new CniError(5, message, "x"));
    expect(combined(errors)).toMatchObject({ message: "a; b", details: "x" });
  });

  test("a single error is thrown as it is; without failures nothing is thrown", () => {
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
    // K8: a step that hangs leaves half of the time to the others. The last step gets all of it.
    expect(notes).toEqual(["half", "half", "half"]);
    expect(() => failures.throwIfAny()).toThrow("a; b");
    new Failures(endlessTime).throwIfAny();
  });
});
