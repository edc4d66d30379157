import { expect, test } from "bun:test";
import { awaitState, type Events } from "../../src/links/readiness.ts";
import { SystemError } from "../../src/sys/errno.ts";

const EIO = 5;
const ENOBUFS = 105;

/** Events whose waiting fails with this errno. */
const failing = (errno: number): Events => ({
  receiveWithin: () => {
    throw new SystemError("ppoll", errno);
  },
  [Symbol.dispose]: () => undefined,
});

test("K26: a wait that fails says what could not be done", () => {
  expect(() =>
    awaitState(
      () => failing(EIO),
      () => undefined,
    ),
  ).toThrow("cannot listen to the kernel's events: wait: input/output error (EIO)");
});

test("K26: so does a socket that cannot be opened", () => {
  const subscribe = () => {
    throw new SystemError("socket", EIO);
  };
  expect(() => awaitState(subscribe, () => undefined)).toThrow(
    /^cannot listen to the kernel's events: socket: /,
  );
});

test("G24: events that were lost are a reason to look again, and no failure", () => {
  let looks = 0;
  const looked = awaitState(
    () => failing(ENOBUFS),
    () => (++looks === 3 ? looks : undefined),
  );
  expect(looked).toBe(3);
});
