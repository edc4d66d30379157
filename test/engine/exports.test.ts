/** src/engine has a file for each engine, and the rest of src may not see which one it got. */
import { expect, test } from "bun:test";
import type * as bun from "../../src/engine/bun.ts";
import type * as compact from "../../src/engine/compact.ts";
import { PROJECT } from "../support/test-files.ts";

/** `true` when two types are the same, and not only assignable to each other. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The types are compared by `npm run check`; a difference is an error here. */
const SAME_TYPES: readonly [
  { [Name in keyof typeof bun]: Same<(typeof bun)[Name], (typeof compact)[Name]> } extends Record<
    keyof typeof compact,
    true
  >
    ? true
    : false,
  Same<bun.Memory, compact.Memory>,
  Same<bun.Word, compact.Word>,
] = [true, true, true];

test("both engines export the same names", async () => {
  expect(SAME_TYPES).toEqual([true, true, true]);
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  const names = async (engine: string) =>
    transpiler.scan(await Bun.file(`${PROJECT}/src/engine/${engine}.ts`).text()).exports.sort();
  const [ofBun, ofCompact] = [await names("bun"), await names("compact")];
  expect(ofBun).toContain("syscall");
  expect(ofCompact).toEqual(ofBun);
});
