/** Standard input, output and error as a caller should not leave them. What was not delivered was not done. */
import { describe, expect, test } from "bun:test";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { builtBinaries, environmentOf } from "../support/plugin-call.ts";
import { protocolProblems } from "../support/protocol.ts";
import { SUBNET, surroundedCall } from "../support/surrounded-call.ts";

const PROGRAM = `${builtBinaries()}/host-local`;
const NO_JSON = "cannot decode the network configuration: line 1, column 1: unexpected end, expected a value";

/** The variables of a call whose streams a test holds itself. */
const variables = (command: string) =>
  environmentOf({ command, containerId: "c1", netns: "/nowhere", ifname: "eth0", path: "/nowhere" });

describe("standard input", () => {
  test.each([
    ["closed", 'exec "$@" <&-', NO_JSON],
    ["empty", 'exec "$@" </dev/null', NO_JSON],
    ["endless", 'exec "$@" </dev/zero', "cannot decode the network configuration: more than 16777216 bytes"],
    ["a directory", 'exec "$@" </', "error reading from stdin: read: is a directory (EISDIR)"],
    [
      "open for writing only",
      'exec "$@" 0>/dev/null',
      "error reading from stdin: read: bad file descriptor (EBADF)",
    ],
  ])("%s", async (_, line, msg) => {
    using leases = new LeaseDirectory();
    const outcome = await surroundedCall(leases, { line });
    expect([outcome.exitCode, outcome.stderr, outcome.json().msg]).toEqual([1, "", msg]);
    expect(leases.all()).toEqual({});
  });

  test("a terminal is read to its end", async () => {
    using leases = new LeaseDirectory();
    // script(1) gives a terminal; its input ends with Ctrl-D.
    const outcome = await surroundedCall(leases, {
      line: 'exec script -qec "$1" /dev/null',
      stdin: `${JSON.stringify(leases.network(SUBNET))}\n\x04`,
    });
    expect(outcome.exitCode).toBe(0);
    expect(Object.keys(leases.leases())).toEqual(["10.1.0.2"]);
  });
});

describe("standard output: the ADD undoes itself and fails", () => {
  test.each([
    ["closed", 'exec "$@" >&-', "EBADF"],
    ["closed, and standard input as well", 'cat >/dev/null; exec "$@" >&- <"$CONFIG"', "EBADF"],
    ["full", 'exec "$@" >/dev/full', "ENOSPC"],
    ["a file at its limit", 'head -c 512 /dev/zero >"$FILE"; ulimit -f 1; exec "$@" >>"$FILE"', "EFBIG"],
    ["open for reading only", 'exec "$@" 1</dev/null', "EBADF"],
    ["a pipe without a reader", 'mkfifo "$FILE"; exec 5<>"$FILE" 6>"$FILE" 5<&-; exec "$@" >&6', "EPIPE"],
  ])("%s", async (_, line, errno) => {
    using leases = new LeaseDirectory();
    const config = `${leases.dataDir}/config`;
    await Bun.write(config, JSON.stringify(leases.network(SUBNET)));
    const env = { CONFIG: config, FILE: `${leases.dataDir}/output` };
    const outcome = await surroundedCall(leases, { line, env });
    expect(`${outcome}`).toStartWith('exit code 1, stdout ""');
    expect(outcome.stderr).toContain(`cannot deliver the result: write`);
    expect(outcome.stderr).toContain(`(${errno})`);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
    expect(leases.leases()).toEqual({});
  });

  test("closed with standard error: the exit code says it", async () => {
    using leases = new LeaseDirectory();
    const outcome = await surroundedCall(leases, { line: 'exec "$@" >&- 2>&-' });
    expect(`${outcome}`).toBe('exit code 1, stdout "", stderr ""');
    expect(leases.leases()).toEqual({});
  });

  test("/dev/null is not closed: somebody wanted no result", async () => {
    using leases = new LeaseDirectory();
    const outcome = await surroundedCall(leases, { line: 'exec "$@" >/dev/null' });
    expect(`${outcome}`).toBe('exit code 0, stdout "", stderr ""');
    expect(Object.keys(leases.leases())).toEqual(["10.1.0.2"]);
  });
});

test("a pipe that nobody reads takes the result of an attachment, and the plugin ends", async () => {
  using leases = new LeaseDirectory();
  const child = Bun.spawn([PROGRAM], {
    stdin: Buffer.from(JSON.stringify(leases.network(SUBNET))),
    stdout: "pipe",
    stderr: "pipe",
    env: variables("ADD"),
  });
  expect(await child.exited).toBe(0);
  expect(JSON.parse(await new Response(child.stdout).text())).toMatchObject({ cniVersion: "1.1.0" });
});

test.each([
  ["closed", 'exec "$@" 2>&-'],
  ["full", 'exec "$@" 2>/dev/full'],
])("standard error %s does no harm", async (_, line) => {
  using leases = new LeaseDirectory();
  const added = await surroundedCall(leases, { line });
  expect(`${added}`).toStartWith("exit code 0");
  expect(protocolProblems("ADD", added)).toEqual([]);
  // GC tells each lease that it frees.
  const whole = { "cni.dev/valid-attachments": [] };
  const collected = await surroundedCall(leases, { line, command: "GC", whole });
  expect(protocolProblems("GC", collected)).toEqual([]);
});

describe("K8: the other end of a stream is waited for no longer than the call lasts", () => {
  test("standard input that is never closed: code 5", async () => {
    using leases = new LeaseDirectory();
    const config = JSON.stringify(leases.network(SUBNET));
    // Before all of it was read, no key of it counts.
    const child = Bun.spawn([PROGRAM], { env: variables("ADD"), stdin: "pipe", stdout: "pipe" });
    child.stdin.write(config);
    await child.stdin.flush();
    const { code, msg } = JSON.parse(await new Response(child.stdout).text());
    expect(code).toBe(5);
    expect(msg).toMatch(/^error reading from stdin: it had not ended at the call's deadline/);
    expect(leases.leases()).toEqual({});
  });

  test("VERSION does not read it at all", async () => {
    const child = Bun.spawn([PROGRAM], { env: variables("VERSION"), stdin: "pipe", stdout: "pipe" });
    expect(JSON.parse(await new Response(child.stdout).text())).toHaveProperty("supportedVersions");
    expect(await child.exited).toBe(0);
  });

  /** Fills the pipe FILE, which stays open for reading and is not read, and runs the program with it. */
  const intoFullPipe = (redirection: string) =>
    `mkfifo "$FILE"; exec 5<>"$FILE"; head -c 65536 /dev/zero >&5; exec "$@" ${redirection}5`;

  test("standard output that nothing reads: the ADD undoes itself and fails", async () => {
    using leases = new LeaseDirectory();
    const outcome = await surroundedCall(leases, {
      line: intoFullPipe(">&"),
      env: { FILE: `${leases.dataDir}/output` },
      whole: { callTimeout: 1 },
    });
    expect(`${outcome}`).toStartWith('exit code 1, stdout ""');
    expect(outcome.stderr).toStartWith("cannot deliver the result: standard output is full");
    expect(leases.leases()).toEqual({});
  });

  test("standard error that nothing reads: lines of the log are lost, and nothing else", async () => {
    using leases = new LeaseDirectory();
    for (const address of ["10.1.0.5", "10.1.0.6"]) leases.write(address, "gone\r\neth0");
    const outcome = await surroundedCall(leases, {
      command: "GC",
      line: intoFullPipe("2>&"),
      env: { FILE: `${leases.dataDir}/output` },
      whole: { "cni.dev/valid-attachments": [] },
    });
    expect(`${outcome}`).toStartWith('exit code 0, stdout ""');
    expect(leases.leases()).toEqual({});
  });
});
