import { describe, expect, test } from "bun:test";
import { CniError, code, combineErrors, toCniError } from "../../src/cni/error.ts";
import { Failures } from "../../src/cni/failures.ts";
import { endlessTime, notedTime } from "../support/call-time.ts";

/** What a line of code, or a function, throws. */
function failureOf(code: string | (() => unknown)): unknown {
  try {
    return typeof code === "string" ? new Function("nothing", code)() : code();
  } catch (error) {
    return error;
  }
}

test("A18: codes", () => {
  expect(code).toEqual({
    incompatibleVersion: 1,
    unsupportedField: 2,
    unknownContainer: 3,
    invalidEnvironment: 4,
    io: 5,
    decoding: 6,
    invalidConfig: 7,
    invalidNetns: 8,
    tryAgainLater: 11,
    notAvailable: 50,
    notAvailableLimited: 51,
    internal: 999,
  });
});

test("A18: anything thrown is an error with code 999, a CniError itself", () => {
  const own = new CniError(7, "message", "details");
  expect(toCniError(own)).toBe(own);
  for (const fault of ["nothing.at()", "nowhere", "JSON.parse('{')", "'x'.repeat(-1)"]) {
    const thrown = failureOf(fault);
    // K26: the engine's words are a detail.
    expect(toCniError(thrown)).toMatchObject({
      code: 999,
      message: expect.stringMatching(/^this is a fault of Bridgehead; please report it/),
      details: (thrown as Error).message,
    });
  }
  const deep = (): number => deep() + 1;
  expect(toCniError(failureOf(deep)).message).toStartWith("there is not enough memory for this call");
  expect(toCniError(new Error("oops"))).toMatchObject({ code: 999, message: "oops", details: "" });
  expect(toCniError("text")).toMatchObject({ code: 999, message: "text" });
  expect(toCniError(undefined)).toMatchObject({ code: 999, message: "undefined" });
});

test("an action in front keeps code and details", () => {
  const error = new CniError(11, "busy", "by x").during("cannot add");
  expect(error).toMatchObject({ code: 11, message: "cannot add: busy", details: "by x" });
});

describe("A31: several failures in one error", () => {
  test("have the first one's code and all messages and details", () => {
    const errors = [new CniError(5, "a", "x"), new Error("b"), new CniError(7, "c", "y")];
    expect(combineErrors(errors)).toMatchObject({ code: 5, message: "a; b; c", details: "x; y" });
  });

  test("A31: what several steps say alike is said once", () => {
    const errors = ["a", "b", "a"].map((message) => new CniError(5, message, "x"));
    expect(combineErrors(errors)).toMatchObject({ message: "a; b", details: "x" });
  });

  test("one is itself, none is none", () => {
    const only = new CniError(5, "a");
    expect(combineErrors([only])).toBe(only);
    expect(combineErrors([])).toBeUndefined();
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
