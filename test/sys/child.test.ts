/** Child processes as they should not be: deaf, endless, talkative, ended by force, or impossible to start. */
import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MOST_OUTPUT, MOST_WORDS, runProgram, StoppedError } from "../../src/sys/child.ts";
import { NotStartedError } from "../../src/sys/start-failure.ts";
import { withDeadline, withoutDeadline } from "../support/call-time.ts";
import { eventually } from "../support/eventually.ts";

afterEach(withoutDeadline);

const environment = { PATH: "/usr/bin:/bin" };
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Runs a line of /bin/sh. */
const sh = (line: string, stdin = "") =>
  runProgram({
    path: "/bin/sh",
    arguments: ["-c", line],
    environment,
    stdin: new TextEncoder().encode(stdin),
  });

/** What it throws. */
function failureOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** A folder that is gone when the test is over. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "child-"));

  file(name: string, content: string, mode = 0o755): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Whether a process lives, and is no zombie that waits for init. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("a child", () => {
  test("gets its arguments, variables and input; its output and exit code come back", () => {
    const { exitCode, signal, stdout, stderr } = runProgram({
      path: "/bin/sh",
      arguments: ["-c", 'echo "$0|$1|$A|$B"; cat; echo words >&2; exit 7', "", "é"],
      environment: { ...environment, A: "a b", B: "=" },
      stdin: new TextEncoder().encode("input"),
    });
    expect({ exitCode, signal, stdout: text(stdout), stderr: text(stderr) }).toEqual({
      exitCode: 7,
      signal: undefined,
      stdout: "|é|a b|=\ninput",
      stderr: "words\n",
    });
  });

  test("that a signal ends is reported by the signal's name", () => {
    expect(sh("kill -SEGV $$")).toMatchObject({ exitCode: null, signal: "SIGSEGV" });
  });

  test("has an input and an output larger than a pipe, at the same time", () => {
    const input = "0123456789".repeat(100_000);
    expect(text(sh("cat", input).stdout)).toBe(input);
  });

  test.each([
    ["does not read its input", "exit 0"],
    ["closes its input", "exec <&-; exit 0"],
    ["closes its output before it ends", "exec >&- 2>&-; sleep 0.1; exit 0"],
  ])("may be one that %s", (_, line) => {
    expect(sh(line, "x".repeat(1_000_000))).toMatchObject({ exitCode: 0 });
  });

  test("gets no descriptor but the first three, and no ignored signal", () => {
    const inherited = openSync("/dev/null", "r");
    const { stdout } = sh("ls /proc/self/fd | wc -l; grep -E 'Sig(Ign|Blk)' /proc/self/status");
    closeSync(inherited);
    // ls itself has the folder open.
    expect(
      text(stdout)
        .split("\n")
        .map((line) => line.trim()),
    ).toEqual(["4", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", ""]);
  });

  test("leaves no zombie and no descriptor", () => {
    // The runtime of the tests opens and closes some of its own.
    const open = () => Number(text(sh(`ls /proc/${process.pid}/fd | wc -l`).stdout));
    const before = open();
    for (let time = 0; time < 20; time++) {
      sh("exit 0", "x");
      expect(failureOf(() => runProgram({ path: "/", environment }))).toBeInstanceOf(NotStartedError);
    }
    expect(open()).toBeLessThan(before + 20);
    expect(text(sh(`ps --no-headers -o stat --ppid ${process.pid} | grep -c Z`).stdout)).toBe("0\n");
  });
});

describe("K7: a child that never ends is stopped, and all that it started", () => {
  test.each([
    ["sleeps", "exec sleep 1000"],
    ["ignores SIGTERM", 'trap "" TERM; while :; do sleep 1000; done'],
    ["has a child of its own", "sleep 1000; :"],
    ["has closed its output", "exec >&- 2>&-; sleep 1000"],
    ["is never given its whole input", "sleep 1000"],
    ["talks without end on standard error", "exec yes >&2"],
  ])("one that %s", (_, line) => {
    withDeadline(700);
    const error = failureOf(() => sh(`echo $$ >&2; ${line}`, "x".repeat(1_000_000)));
    expect(error).toBeInstanceOf(StoppedError);
    const { message, isTemporary, stderr } = error as StoppedError;
    expect(message).toMatch(/^it had not ended after 0\.[0-9] s and was stopped; try again later$/);
    expect(isTemporary).toBe(true);
    expect(lives(Number.parseInt(text(stderr), 10))).toBe(false);
  });

  test("SIGTERM first, so that it can clean up", () => {
    withDeadline(4000);
    const error = failureOf(() =>
      sh('trap "echo cleaned >&2; exit 1" TERM; sleep 1000 & wait'),
    ) as StoppedError;
    expect(text(error.stderr)).toBe("cleaned\n");
  });

  test("a grandchild that holds the output, of a child that hangs", async () => {
    withDeadline(700);
    const error = failureOf(() => sh('trap "" TERM; (while :; do sleep 1000; done) & echo $! >&2; wait'));
    const pid = Number.parseInt(text((error as StoppedError).stderr), 10);
    // Only the child is waited for: SIGKILL ends the grandchild as soon as that has a processor.
    await eventually("the grandchild has ended", () => !lives(pid));
  });

  test("a grandchild that holds the output of a child that ended well: the answer counts, and it lives on", () => {
    withDeadline(1500);
    const { exitCode, stdout } = sh("sleep 1000 & echo $!");
    expect(exitCode).toBe(0);
    const pid = Number(text(stdout));
    expect(lives(pid)).toBe(true);
    process.kill(pid);
  });

  test("what such a grandchild still says is heard", () => {
    expect(text(sh("(sleep 0.3; echo late) & exit 0").stdout)).toBe("late\n");
  });

  test("signals in a storm do not prolong it", () => {
    const storm = Bun.spawn(["/bin/sh", "-c", `while kill -WINCH ${process.pid}; do :; done`]);
    try {
      withDeadline(700);
      expect(failureOf(() => sh("exec sleep 1000"))).toBeInstanceOf(StoppedError);
    } finally {
      storm.kill("SIGKILL");
    }
  });

  test("K8: nothing is started when no time is left", () => {
    withDeadline(0);
    const error = failureOf(() => sh("exit 0")) as NotStartedError;
    expect(error).toBeInstanceOf(NotStartedError);
    expect({ ...error }).toMatchObject({ isTemporary: true, nothingTaken: true });
  });
});

describe("K7: a child that says too much", () => {
  test("up to the limit all is heard", () => {
    expect(sh(`head -c ${MOST_OUTPUT} /dev/zero`).stdout.length).toBe(MOST_OUTPUT);
  });

  test.each([
    ["one byte more", `head -c ${MOST_OUTPUT + 1} /dev/zero`],
    ["300 MB", "head -c 300000000 /dev/zero"],
    ["without end, and deaf", 'trap "" TERM PIPE; while :; do cat /dev/zero; done 2>&1'],
  ])("%s: the limit is named", (_, line) => {
    withDeadline(3000);
    const error = failureOf(() => sh(line)) as StoppedError;
    expect(error).toBeInstanceOf(StoppedError);
    expect(error.message).toBe("it printed more than 16 MiB and was stopped");
    expect(error.isTemporary).toBe(false);
  });

  test("on standard error: the first part is kept, and the child goes on", () => {
    const { stdout, stderr } = sh("echo first >&2; head -c 5000000 /dev/zero >&2; echo result");
    expect(text(stdout)).toBe("result\n");
    expect(stderr.length).toBe(MOST_WORDS);
    expect(text(stderr.subarray(0, 6))).toBe("first\n");
  });
});

describe("K26: a child that cannot be started: words for people, and no name of a call", () => {
  const failure = (path: string, variables: Record<string, string> = environment) =>
    failureOf(() => runProgram({ path, environment: variables })) as NotStartedError;

  test.each<[string, (folder: Folder) => NotStartedError, RegExp, boolean]>([
    ["no file", ({ path }) => failure(join(path, "none")), /^there is no such file$/, false],
    ["a script without #!", (at) => failure(at.file("a", "echo hi\n")), /#!\/bin\/sh/, false],
    ["an empty file", (at) => failure(at.file("a", "")), /not a program of this machine/, false],
    [
      "a program of another architecture",
      // An ELF header of the s390.
      (at) => failure(at.file("a", `\x7fELF\x01\x02\x01${"\0".repeat(9)}\0\x02\0\x16${"\0".repeat(60)}`)),
      /right architecture/,
      false,
    ],
    [
      "an interpreter that is missing",
      (at) => failure(at.file("a", "#!/nowhere/sh\n")),
      /interpreter of its first line/,
      false,
    ],
    ["a directory", ({ path }) => failure(path), /may not be executed/, false],
    ["no permission", (at) => failure(at.file("a", "#!/bin/sh\n", 0o644)), /may not be executed/, false],
    ["a path through a file", (at) => failure(`${at.file("a", "")}/b`), /^not a directory$/, false],
    [
      "variables without end",
      () => failure("/bin/true", { LONG: "x".repeat(3_000_000) }),
      /longer than the kernel accepts/,
      false,
    ],
  ])("%s", (_, provoke, words, isTemporary) => {
    using folder = new Folder();
    const error = provoke(folder);
    expect(error).toBeInstanceOf(NotStartedError);
    expect(error.message).toMatch(words);
    expect(error.message).not.toMatch(/spawn|execve|Error|\(E[A-Z]+\)/);
    expect(error.isTemporary).toBe(isTemporary);
  });

  test("A48: a file that is being written is waited for, and given up in time", async () => {
    using folder = new Folder();
    const path = folder.file("a", "#!/bin/sh\nexit 3\n");
    const writer = openSync(path, "a");
    withDeadline(300);
    expect(failure(path)).toMatchObject({
      message: "another program is writing it; try again later",
      isTemporary: true,
    });
    withoutDeadline();
    closeSync(writer);
    const installer = Bun.spawn(["/bin/sh", "-c", 'exec 9>>"$0"; echo open; exec sleep 0.3', path], {
      stdout: "pipe",
    });
    await installer.stdout.getReader().read();
    expect(runProgram({ path, environment }).exitCode).toBe(3);
    await installer.exited;
  });
});
