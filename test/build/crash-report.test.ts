/** K9: what a user reads where the runtime ends before a line of ours runs (docs/decisions/0029-crash-report.md). */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { crashReportPatches } from "../../build/crash-report.ts";
import { outcomeOf } from "../support/command.ts";
import { isCompact } from "../support/engine.ts";
import { builtBinaries } from "../support/plugin-call.ts";

const VERSION = { env: { CNI_COMMAND: "VERSION" } };
const REMEDY = /^Bridgehead|: Bridgehead (ended before it could answer|has run out of memory)/m;
const ELSEWHERE = /github|bun\.report|file an? |Bun's team|bug in Bun/i;

const run = (shell: string) =>
  outcomeOf(["/bin/sh", "-c", `${shell} exec ${builtBinaries()}/bridge`], VERSION);

describe("a crash says where the remedy is, and sends the user to nobody else", () => {
  test.each([
    ["too little memory for data", "ulimit -d 50000;"],
    ["too little address space", "ulimit -v 300000;"],
  ])("%s for the Bun file, of which the compact one needs a hundredth", async (_, shell) => {
    const { exitCode, stdout, stderr } = await run(shell);
    if (isCompact()) {
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(JSON.parse(stdout)).toHaveProperty("supportedVersions");
      return;
    }
    expect(exitCode).toBe(134);
    expect(stdout).toBe("");
    expect(stderr).toMatch(REMEDY);
    expect(stderr).toContain('see "Surroundings" in docs/security.md');
    expect(stderr).not.toMatch(ELSEWHERE);
  });

  test("the file has the old texts nowhere where a crash would print them", () => {
    const program = readFileSync(`${builtBinaries()}/bridge`);
    expect(program.includes("https://bun.report")).toBe(false);
    expect(program.includes("Bun has crashed")).toBe(false);
  });
});

describe("the build refuses a runtime", () => {
  const request =
    "\n\nTo send a redacted crash report to Bun's team,\nplease file a GitHub issue using the link below:\n\n";
  const crashed = `Bun has crashed. This indicates a bug in Bun, not your code.${request}`;
  const memory = `Bun has run out of memory.${request}`;
  const address = "https://bun.report";
  const program = (...texts: string[]): Buffer => Buffer.from(texts.join("|"), "latin1");

  test("that lacks a text, or has one more often", () => {
    expect(() => crashReportPatches(program(crashed, memory, address))).toThrow(
      'cannot replace "Bun has crashed. T": its place in the runtime was found 1 times, not 2; ' +
        "read docs/decisions/0029-crash-report.md before you use another version of Bun",
    );
    expect(() => crashReportPatches(program(crashed, crashed, memory))).toThrow("was found 0 times, not 1");
    expect(() => crashReportPatches(program(crashed, crashed, memory, memory, address))).toThrow(
      "2 times, not 1",
    );
  });

  test("and changes no byte beside the texts", () => {
    const before = program("a", crashed, "b", crashed, "c", memory, "d", address, "e");
    const after = Buffer.from(before);
    for (const { offset, bytes } of crashReportPatches(before)) after.set(bytes, offset);
    const parts = after.toString("latin1").split("|");
    expect(parts.map((part) => part.length)).toEqual(
      before
        .toString("latin1")
        .split("|")
        .map((part) => part.length),
    );
    expect(parts.filter((_, index) => index % 2 === 0)).toEqual(["a", "b", "c", "d", "e"]);
    expect(parts[1]?.trimEnd()).toEndWith('see "Surroundings" in docs/security.md.');
  });
});
