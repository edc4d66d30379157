/** K21: the build says what the file needs. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { hasLoader, needsOf } from "../../build/needs.ts";
import { outputOf } from "../support/command.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";

/** An ELF header for x64 with one program header, which is of `type`, and text behind it. */
function program(type: number, ...strings: string[]): Buffer {
  const header = Buffer.alloc(64 + 56);
  header.write("\x7fELF", "latin1");
  header.writeUInt16LE(62, 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(type, 64);
  return Buffer.concat([header, Buffer.from(`\0${strings.join("\0")}\0`, "latin1")]);
}
const PT_LOAD = 1;
const PT_INTERP = 3;

testUnless(whyNoProgram("readelf"))("as readelf says of the built file", async () => {
  const file = `${builtBinaries()}/bridgehead`;
  const interpreted = (await outputOf(["readelf", "--program-headers", file])).includes(" INTERP ");
  expect(hasLoader(readFileSync(file))).toBe(interpreted);
  if (!interpreted) return expect(needsOf(readFileSync(file))).toMatch(/^nothing but Linux, (x86-64|arm64)$/);
  const minors = (await outputOf(["readelf", "--version-info", file])).matchAll(/GLIBC_2\.(\d+)/g);
  const newest = Math.max(...[...minors].map(([, minor]) => Number(minor)));
  expect(needsOf(readFileSync(file))).toStartWith(`glibc 2.${newest}, `);
});

test("the newest of the versions, musl, and nothing for a static program", () => {
  expect(needsOf(program(PT_INTERP, "GLIBC_2.9", "GLIBC_2.17", "GLIBC_2.2.5", "xGLIBC_2.40"))).toBe(
    "glibc 2.17, x86-64 with SSE4.2 and POPCNT",
  );
  expect(needsOf(program(PT_INTERP, "/lib/ld-musl-x86_64.so.1"))).toBe(
    "musl, libstdc++ 6.0.30, x86-64 with SSE4.2 and POPCNT",
  );
  expect(needsOf(program(PT_LOAD, "GLIBC_2.9"))).toBe("nothing but Linux, x86-64");
  expect(() => needsOf(program(PT_INTERP, "nothing"))).toThrow("neither glibc nor musl");
});
