import { expect, test } from "bun:test";
import { CniError, code, toCniError } from "../../src/cni/error.ts";

/** The error that a line of code, or a function, throws. */
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

test("A18: any thrown value becomes an error with code 999, but a CniError stays as it is", () => {
  const own = new CniError(7, "message", "details");
  expect(toCniError(own)).toBe(own);
  for (const fault of ["nothing.at()", "nowhere", "JSON.parse('{')", "'x'.repeat(-1)"]) {
    const thrown = failureOf(fault);
    // K26: the engine's message becomes a detail.
    expect(toCniError(thrown)).toMatchObject({
      code: 999,
      message: expect.stringMatching(/^this is a fault of Bridgehead; please report it/),
      details: (thrown as Error).message,
    });
  }
  const deep = (): number => deep() + 1;
  for (const lack of [failureOf(deep), new RangeError("Out of memory")]) {
    expect(toCniError(lack)).toMatchObject({
      code: 999,
      message: expect.stringMatching(/^there is not enough memory for this call/),
      details: (lack as Error).message,
    });
  }
  expect(toCniError(new Error("oops"))).toMatchObject({ code: 999, message: "oops", details: "" });
  expect(toCniError("text")).toMatchObject({ code: 999, message: "text" });
  expect(toCniError(undefined)).toMatchObject({ code: 999, message: "undefined" });
});

test("during() puts the action in front and keeps code and details", () => {
  const error = new CniError(11, "busy", "by x").during("cannot add");
  expect(error).toMatchObject({ code: 11, message: "cannot add: busy", details: "by x" });
});
