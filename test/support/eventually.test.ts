import { expect, test } from "bun:test";
import { eventually } from "./eventually.ts";

test("eventually gives the first state that is not undefined or false", async () => {
  let asked = 0;
  expect(await eventually("three", () => (++asked < 3 ? undefined : asked))).toBe(3);
});

test("eventually names what did not come, and the last state", async () => {
  const never = eventually("a carrier", () => false, { deadline: 5, state: () => ({ operstate: "DOWN" }) });
  await expect(never).rejects.toThrow('a carrier: not within 5 ms; last seen: {"operstate":"DOWN"}');
});
