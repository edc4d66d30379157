import { expect, test } from "bun:test";
import { awaitState, type Events } from "../../src/links/readiness.ts";
import { SystemError } from "../../src/sys/errno.ts";

const EIO = 5;
const ENOBUFS = 105;

/** A source of events that fails with this errno. */
const failing = (errno: number): Events => ({
  receiveWithin: () => {
    throw new SystemError("ppoll", errno);
  },
  [Symbol.dispose]: () => undefined,
});

test("K26: the error of a failed wait names the action", () => {
  expect(() =>
    awaitState(
      () => failing(EIO),
      () => undefined,
    ),
  ).toThrow("cannot listen to the kernel's events: wait: input/output error (EIO)");
});

test("K26: the error of a socket that cannot be opened names the action", () => {
  const subscribe = () => {
    throw new SystemError("socket", EIO);
  };
  expect(() => awaitState(subscribe, () => undefined)).toThrow(
    /^cannot listen to the kernel's events: socket: /,
  );
});

test("G24: lost events cause another look and no failure", () => {
  let looks = 0;
  const looked = awaitState(
    () => failing(ENOBUFS),
    () => (++looks === 3 ? looks : undefined),
  );
  expect(looked).toBe(3);
});
