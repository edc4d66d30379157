/** Whether a variable is UTF-8, in a process that was started with its bytes. */
import { expect, test } from "bun:test";
import { outputOf } from "../support/command.ts";

const MODULE = `${import.meta.dir}/../../src/sys/variable.ts`;

test.each([
  ["a", true],
  ["", true],
  ["\\303\\251", true],
  ["\\357\\277\\275", true],
  ["\\357\\273\\277", true],
  ["\\377", false],
  ["a\\303", false],
  ["\\355\\240\\200", false],
])("bytes %s: %j", async (octal, expected) => {
  const program = `console.log((await import("${MODULE}")).isUtf8("NAME"))`;
  const command = `NAME_2="$(printf '\\377')" NAME="$(printf '${octal}')" ${process.execPath} -e '${program}'`;
  expect(await outputOf(command)).toBe(`${expected}\n`);
});

test("a variable that is not set is text", async () => {
  const program = `console.log((await import("${MODULE}")).isUtf8("NAME"))`;
  expect(await outputOf(`env -u NAME ${process.execPath} -e '${program}'`)).toBe("true\n");
});
