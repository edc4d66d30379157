import { expect, test } from "bun:test";
import { baseOf, sidesOf } from "../../bench/case.ts";
import { CASES } from "../../bench/cases/all.ts";

const programs = { copier: "", floor: "", launcher: "", cpuid: "" };

test("ours is compared with the reference, a copy with what it is a copy of", () => {
  expect((["compact", "bun", "floor", "reference"] as const).map(baseOf)).toEqual([
    ...(["reference", "reference", "reference", "reference"] as const),
  ]);
  expect((["compact-copy", "bun-copy", "reference-copy"] as const).map(baseOf)).toEqual([
    ...(["compact", "bun", "reference"] as const),
  ]);
});

test("the sides are those whose plugins are there, with their copies if these are wanted", () => {
  const plugins = { bun: "/b", reference: "/r", "bun-copy": "/bc", "reference-copy": "/rc" };
  expect(sidesOf({ ...programs, plugins }, "without copies")).toEqual([
    ["bun", "/b"],
    ["reference", "/r"],
  ]);
  expect(sidesOf({ ...programs, plugins: { ...plugins, compact: "/c" } }, "with copies")).toHaveLength(5);
});

test("each case has its own name, and fewer rounds in a quick run", () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  for (const { rounds, quickRounds } of CASES) expect(quickRounds).toBeLessThan(rounds);
});
