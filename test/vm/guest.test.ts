/** The harness itself: whatever a guest does, it ends, it leaves nothing, and only a whole report counts as one. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { eventually } from "../support/eventually.ts";
import { COMMAND_LIMIT } from "../support/limits.ts";
import { testUnless } from "../support/skip.ts";
import { type Kernel, runInGuest } from "./guest.ts";
import { enclosed, whyNotEnclosed } from "./user-mode-linux.ts";

const FILE = "test/vm/guest/example.test.ts";
const REPORT = (failures: number) =>
  `<testsuites tests="1" failures="${failures}" skipped="0"><testcase name="a" classname="" file="${FILE}">${
    failures === 0 ? "" : "<failure/>"
  }</testcase></testsuites>`;

/** A guest that is a shell script, which knows $TOKEN and can `report EXIT-CODE XML`. */
const played = (script: string, around: readonly string[] = []): Kernel => ({
  name: "a shell",
  modules: "/nowhere",
  command: ([, , folder = ""]) => [
    ...around,
    "/bin/sh",
    "-c",
    `. "$0/settings"
    mark() { echo "@@$TOKEN $*"; }
    report() { mark report "$1" $(printf %s "$2" | sha256sum | cut -d' ' -f1); printf %s "$2" | base64; mark end; }
    ${script}`,
    folder,
  ],
});

const run = (kernel: Kernel, timeout = COMMAND_LIMIT) =>
  runInGuest(kernel, FILE, { testTimeout: 1000, timeout, env: {}, visible: [] });

const testEnclosed = testUnless(await whyNotEnclosed());

describe("a guest", () => {
  test("passes when its report says so", async () => {
    const { cases, trouble, output } = await run(
      played(`mark start; echo talk; report 0 '${REPORT(0)}'; exec sleep 600`),
    );
    expect(cases).toEqual([{ file: FILE, name: "a", verdict: "passed" }]);
    expect([trouble, output]).toEqual([[], "talk\n"]);
  });

  test("fails when its report says so", async () => {
    const { cases, trouble } = await run(played(`mark start; report 1 '${REPORT(1)}'`));
    expect(cases.map(({ verdict }) => verdict)).toEqual(["failed"]);
    expect(trouble).toEqual([]);
  });

  test.each([
    [
      "does not boot",
      "echo no root >&2; exit 3",
      "no report before its tests began: ended by itself with exit code 3",
    ],
    ["crashes amid its tests", "mark start; kill -SEGV $$", "no report: ended by SIGSEGV"],
    ["ends amid its tests", "mark start; exit 0", "no report: ended by itself with exit code 0"],
    ["panics", "mark start; echo 'Kernel panic - oh'; exec sleep 600", "no report: Kernel panic - oh"],
    ["hangs", "mark start; exec sleep 600", "no report: timed out after 3 s"],
    ["hangs at boot", "exec sleep 600", "no report before its tests began: timed out after 3 s"],
    ["gives half a report", `mark start; report 0 '${REPORT(0)}' | head -n 2`, "breaks off: ended by itself"],
    ["damages its report", `mark start; report 0 '${REPORT(0)}' | sed 2s/./x/5`, "came through damaged"],
    ["has no report of bun test", "mark start; mark report 134 none; mark end", "ended with exit code 134"],
    ["fails with a report that passes", `mark start; report 1 '${REPORT(0)}'`, "ended with exit code 1"],
    ["reports on another file", `mark start; report 0 '${REPORT(0).replace(FILE, "x")}'`, "no test in it"],
  ])("that %s is a failure", async (_what, script, trouble) => {
    const outcome = await run(played(script), script.includes("exec sleep 600") ? 3000 : COMMAND_LIMIT);
    expect(outcome.trouble.join()).toContain(trouble);
    expect(outcome.trouble.join()).toContain(FILE);
  });

  testEnclosed("leaves no process and no file, whatever it does", async () => {
    const files = () => readdirSync(tmpdir()).filter((name) => name.startsWith("bridgehead-guest-"));
    const before = files();
    const duration = `600.${process.pid}`;
    // Its own children, in sessions of their own, deaf to polite signals.
    const script = `trap '' TERM INT HUP; setsid sleep ${duration} & sleep ${duration} & mark start`;
    for (const last of [
      "exit",
      "exec sleep 600",
      `report 0 '${REPORT(0)}'; exec sleep 600`,
      "kill -SEGV $$",
    ]) {
      await run(played(`${script}; ${last}`, enclosed()), 1000);
      // What was killed is listed until the kernel has come to it.
      const left = () => commandLines().filter((line) => line.includes(duration));
      await eventually(`no process is left of "${last}"`, () => left().length === 0, { state: left });
    }
    expect(files()).toEqual(before);
  });

  testEnclosed("ends with the process that runs it, even with one that is killed", async () => {
    const duration = `600.${process.pid}1`;
    const script = `Bun.spawn(${JSON.stringify([...enclosed(), "sleep", duration])}); await Bun.sleep(1e6);`;
    const runner = Bun.spawn([process.execPath, "-e", script]);
    const isThere = () =>
      commandLines().some((line) => line.endsWith(`sleep\0${duration}\0`) && !line.includes("unshare"));
    await eventually("the guest runs", isThere);
    runner.kill("SIGKILL");
    await eventually("the guest is gone", () => !isThere());
  });
});

/** Of all processes, with NUL between the words. */
function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return [];
      }
    });
}
