/** Another version of the runtime may have the places of the patches elsewhere. */
import { expect, test } from "bun:test";
import { variablePatches } from "../../build/close-variables.ts";
import { crashReportPatches } from "../../build/crash-report.ts";
import { machine, optional } from "../../build/patch.ts";
import { startUpPatches } from "../../build/start-up-files.ts";

/** The header of a program for x64, and nothing of the runtime. */
const another = Buffer.alloc(64);
another.writeUInt16LE(machine.x64, 18);

test("the build goes on, with a warning, without a patch that only saves time", () => {
  const warnings: string[] = [];
  expect(
    optional(
      () => startUpPatches(another),
      (line) => warnings.push(line),
    ),
  ).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining("0020-start-up-files.md")]);
});

test("the build fails without a patch that safety needs, and for any other failure", () => {
  expect(() => variablePatches(another)).toThrow("was found 0 times");
  expect(() => crashReportPatches(another)).toThrow("was found 0 times");
  const broken = () => {
    throw new Error("broken");
  };
  expect(() => optional(broken)).toThrow("broken");
});
