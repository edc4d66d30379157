/** What the build changes of the engine (docs/decisions/0017-engine-options.md). */
import { describe, expect, test } from "bun:test";
import { enginePatches } from "../../build/engine-options.ts";
import { machine } from "../../build/patch.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";
import { tracedAdd } from "../support/surrounded-call.ts";

const cause = process.arch === "x64" ? whyNoProgram("strace") : `not patched for ${process.arch}`;

testUnless(cause)("an ADD starts no thread", async () => {
  using leases = new LeaseDirectory();
  const calls = await tracedAdd(leases, "clone,clone3,exit_group");
  // The one that is left shows that strace saw the plugin.
  expect(calls.replace(/^\d+ +/gm, "")).toMatch(/^exit_group\(0\) +=.*\n$/);
});

describe("the build refuses a runtime", () => {
  // mov byte [rip + 0x1de16b], 1; mov rax, 0x4000000020; mov [rip + 0x1de15e], rax
  const place = Buffer.from("c6056be11d000148b820000000400000004889055ee11d00", "hex");
  // The same with mov [rip + 0x1de16b], r13b
  const byRegister = Buffer.from("44882d6be11d0048b820000000400000004889055ee11d00", "hex");
  const program = (code: Buffer, ...places: number[]): Buffer => {
    const bytes = Buffer.alloc(4096);
    bytes.writeUInt16LE(machine.x64, 18);
    for (const offset of places) bytes.set(code, offset);
    return bytes;
  };

  test("where the option is not found", () => {
    expect(() => enginePatches(program(place))).toThrow(
      "cannot turn off useWarmUpMarkedBlocks: its place in the runtime was found 0 times, not once; " +
        "read docs/decisions/0017-engine-options.md before you use another version of Bun",
    );
  });

  test("where it is found twice", () => {
    expect(() => enginePatches(program(place, 100, 1001))).toThrow("was found 2 times");
  });

  test("where what is set is not the option beside the other two", () => {
    const code = Buffer.from(place);
    code[2] = 0x6c;
    expect(() => enginePatches(program(code, 100))).toThrow("was found 0 times");
  });

  test.each([
    ["a number", place],
    ["a register", byRegister],
  ])("and sets the option of another to 0 where %s was", (_, code) => {
    const bytes = Buffer.from("c6056be11d0000", "hex");
    expect(enginePatches(program(code, 1001))).toEqual([{ offset: 1001, bytes }]);
  });
});
