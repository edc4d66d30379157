/** O13, O17: which program is a plugin's, for all commands. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { programOf } from "../../src/operator/plugin-folder.ts";
import { programIn } from "../../src/sys/program.ts";

test("the program of a plugin is the first of CNI_PATH that can be executed", () => {
  const root = mkdtempSync(join(tmpdir(), "plugins-"));
  const [first, second] = [join(root, "first"), join(root, "second")];
  for (const folder of [first, second]) mkdirSync(folder);
  writeFileSync(join(first, "bridge"), "", { mode: 0o644 });
  for (const name of ["bridge", "portmap"]) writeFileSync(join(second, name), "", { mode: 0o755 });
  const path = `:${join(root, "none")}:${first}:${second}`;
  expect(programOf("bridge", path)).toBe(join(second, "bridge"));
  // As for cnitool, whose documents use a relative folder; what is started by its name alone is looked for elsewhere only.
  const near = relative(process.cwd(), second);
  expect([programOf("portmap", near), programIn(near, "portmap")]).toEqual([`${near}/portmap`, undefined]);
  for (const type of ["firewall", "../second/bridge", ""]) expect(programOf(type, path)).toBeUndefined();
  rmSync(root, { recursive: true });
});
