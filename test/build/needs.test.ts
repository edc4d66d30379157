/** K21: the build says what the file needs. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { needsOf } from "../../build/needs.ts";
import { outputOf } from "../support/command.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";

const ELF_X64 = `${"\x7fELF".padEnd(18, "\0")}\x3e\0`;
const program = (...strings: string[]) => Buffer.from(`${ELF_X64}\0${strings.join("\0")}\0`, "latin1");

testUnless(whyNoProgram("readelf"))("as readelf says of the built file", async () => {
  const file = `${builtBinaries()}/bridgehead`;
  const minors = (await outputOf(["readelf", "--version-info", file])).matchAll(/GLIBC_2\.(\d+)/g);
  const newest = Math.max(...[...minors].map(([, minor]) => Number(minor)));
  expect(needsOf(readFileSync(file))).toStartWith(`glibc 2.${newest}, `);
});

test("the newest of the versions, and musl", () => {
  expect(needsOf(program("GLIBC_2.9", "GLIBC_2.17", "GLIBC_2.2.5", "xGLIBC_2.40"))).toBe(
    "glibc 2.17, x86-64 with SSE4.2 and POPCNT",
  );
  expect(needsOf(program("/lib/ld-musl-x86_64.so.1"))).toBe(
    "musl, libstdc++ 6.0.30, x86-64 with SSE4.2 and POPCNT",
  );
  expect(() => needsOf(program("nothing"))).toThrow("neither glibc nor musl");
});
