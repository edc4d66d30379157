import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcomeOf, outputOf } from "../../support/command.ts";
import { testUnless } from "../../support/skip.ts";

const folder = mkdtempSync(join(tmpdir(), "bridgehead-launcher-"));
const launcher = join(folder, "launcher");
const compiler = Bun.which("cc");
const check = testUnless(compiler === null ? "no C compiler" : undefined);

beforeAll(async () => {
  if (compiler === null) return;
  const source = join(import.meta.dir, "../../../bench/launcher.c");
  await outputOf([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", launcher, source]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Programs with their standard input; the environment is empty. */
async function ask<T>(header: string, programs: readonly (readonly [string[], string?])[]): Promise<T> {
  const parts = programs.map(([argv, stdin = ""]) => {
    const strings = argv.map((word) => `${word}\0`).join("");
    return `${argv.length} 1 ${stdin.length}\n${strings}PATH=/usr/bin:/bin\0${stdin}`;
  });
  return JSON.parse(await outputOf([launcher], { stdin: `${header}\n${parts.join("")}` })) as T;
}

const sh = (script: string, stdin = ""): readonly [string[], string] => [["/bin/sh", "-c", script], stdin];

describe("the launcher of the benchmark", () => {
  check("hands over standard input, output, error and the exit code", async () => {
    const { calls } = await ask<{ calls: object[] }>("time 0 2", [
      sh('cat; printf "\\"\\t\\\\" >&2; exit 7', "in\n"),
      sh("kill -9 $$"),
    ]);
    expect(calls).toMatchObject([
      { exit: 7, stdout: "in\n", stderr: '"\t\\' },
      { exit: 137, stdout: "", stderr: "" },
    ]);
  });

  check("counts processor time of children, and wall time of all that run at once", async () => {
    const burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
    const batch = await ask<{ wall: number; calls: { wall: number; cpu: number }[] }>("time 0 2", [
      sh(`sh -c '${burn}'; :`),
      sh("sleep 0.2"),
    ]);
    const [busy, idle] = batch.calls;
    if (busy === undefined || idle === undefined) throw new Error("two programs, two answers");
    expect(busy.cpu).toBeGreaterThan(5e6);
    expect(idle.cpu).toBeLessThan(busy.cpu);
    expect(idle.wall).toBeGreaterThan(200e6);
    expect(batch.wall).toBeGreaterThanOrEqual(Math.max(busy.wall, idle.wall));
  });

  check("sees who outlives its parent", async () => {
    type Answer = { left: boolean; orphans: number };
    expect(await ask<Answer>("time 0 1", [sh("(sleep 10 &)")])).toMatchObject({ left: true });
    // A grandchild that the launcher inherits, and buries before the program ends.
    const heir = "q=$$; (while [ -d /proc/$q ]; do :; done) >&2 & echo $!";
    const buried = `p=$(sh -c '${heir}'); while [ -d /proc/$p ]; do :; done`;
    expect(await ask<Answer>("time 0 1", [sh(buried)])).toMatchObject({ left: false, orphans: 1 });
  });

  check("counts what strace counts", async () => {
    const script = "ls /; wc -l /etc/passwd; exec true";
    const census = await ask<Record<string, number>>("census 0 1", [sh(script)]);
    expect(census).toMatchObject({ exit: 0, programs: 4, processes: 3 });
    const summary = join(folder, "summary");
    const traced = await outcomeOf(["strace", "-f", "-c", "-o", summary, "/bin/sh", "-c", script], {
      env: { PATH: "/usr/bin:/bin" },
    });
    expect(traced.exitCode).toBe(0);
    const total = /^\s*100\.00 .* (\d+)\s+\d* total$/m.exec(await Bun.file(summary).text())?.[1];
    expect(census.syscalls).toBe(Number(total));
  });

  check("adds up the peaks of programs that run together, and of no others", async () => {
    const hold = (file: string) => `dd if=/dev/zero bs=30M count=1 of=${file}`;
    const peak = async (script: string) =>
      (await ask<{ peak: number }>("census 0 1", [sh(script)])).peak / 1024;
    const one = await peak(hold("/dev/null"));
    expect(one).toBeGreaterThanOrEqual(30);
    expect(one).toBeLessThan(50);
    const inTurn = await peak(`${hold("/dev/null")}; ${hold("/dev/null")}`);
    expect(inTurn).toBeLessThan(50);
    // Each has to wait for its reader, and both readers are there before one reads.
    const together = `cd ${folder}; mkfifo a b; ${hold("a")} & ${hold("b")} &
      exec 3<a 4<b; cat <&3 >/dev/null; cat <&4 >/dev/null; wait`;
    expect(await peak(together)).toBeGreaterThanOrEqual(60);
  });
});
