/** What is said of a process of tests that does not come to its end. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { type FileRun, PROJECT, runFiles } from "./test-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bridgehead-files-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs one file of tests; `body` follows a test that passes. */
function runFile(body: string, silence?: number): Promise<FileRun> {
  const file = join(folder, `${Bun.randomUUIDv7()}.test.ts`);
  writeFileSync(file, `import { expect, test } from "bun:test";\n${body}`);
  const surroundings = { isolated: false, reports: folder, env: {} };
  return runFiles(
    [relative(PROJECT, file)],
    silence === undefined ? surroundings : { ...surroundings, silence },
  );
}

const PASSES = 'test("passes [1ms]", () => {});\n';

test("K24: one that hangs is killed, and named with the last test that ended", async () => {
  const { trouble, cases } = await runFile(`${PASSES}test("hangs", () => { for (;;); });`, 3000);
  expect(trouble).toEqual([
    expect.stringMatching(/^timed out after 3 s in \S+\.test\.ts, after its test "passes \[1ms\]"$/),
  ]);
  expect(cases).toEqual([]);
});

test("K24: one that hangs in its first test is named as well", async () => {
  const { trouble } = await runFile('test("hangs", () => { for (;;); });', 3000);
  expect(trouble).toEqual([expect.stringMatching(/^timed out after 3 s (in|before) .*first test/)]);
});

test("a process that a test leaves behind holds nothing up", async () => {
  const leave = 'Bun.spawn(["sleep", "1000"], { stdout: "inherit", stderr: "inherit" });';
  const { trouble, cases, output } = await runFile(
    `${PASSES}test("leaves", () => { globalThis.left = ${leave} left.unref(); console.log("pid " + left.pid); });`,
  );
  process.kill(Number(/pid (\d+)/.exec(output)?.[1]));
  expect([trouble, cases.length]).toEqual([[], 2]);
});

test("one that is killed is named with the last test that ended", async () => {
  const { trouble } = await runFile(`${PASSES}test("dies", () => process.kill(process.pid, "SIGKILL"));`);
  expect(trouble).toEqual([expect.stringMatching(/^ended by SIGKILL in .*, after its test "passes/)]);
});

test("the output of a run that failed has what failed, and not what passed", async () => {
  const { output, trouble } = await runFile(`${PASSES}test("fails", () => expect(1).toBe(2));`);
  expect(trouble).toEqual([]);
  expect(output).toContain("(fail) fails");
  expect(output).not.toContain("(pass)");
});
