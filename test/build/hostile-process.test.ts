/** What a process inherits: descriptors, limits, signals, the umask, the working directory, a seccomp filter. */
import { describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isCompact } from "../support/engine.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { protocolProblems } from "../support/protocol.ts";
import { testUnless } from "../support/skip.ts";
import { surroundedCall } from "../support/surrounded-call.ts";

async function expectWholeLife(line: string): Promise<void> {
  using leases = new LeaseDirectory();
  const added = await surroundedCall(leases, { line });
  expect(`${line}: ${added}`).toStartWith(`${line}: exit code 0`);
  expect(protocolProblems("ADD", added)).toEqual([]);
  expect(Object.keys(leases.leases())).toEqual(["10.1.0.2"]);
  const deleted = await surroundedCall(leases, { line, command: "DEL" });
  expect(`${line}: ${deleted}`).toStartWith(`${line}: exit code 0, stdout ""`);
  expect(leases.leases()).toEqual({});
}

/** Nothing stays and nothing is said but the protocol's own error. */
async function expectOneError(line: string, text: RegExp): Promise<void> {
  using leases = new LeaseDirectory();
  const outcome = await surroundedCall(leases, { line });
  expect(`${line}: ${outcome}`).toStartWith(`${line}: exit code 1`);
  expect(protocolProblems("ADD", outcome)).toEqual([]);
  expect(outcome.json().msg).toMatch(text);
  expect(leases.leases()).toEqual({});
}

test.each([
  [
    "a thousand open descriptors",
    'exec bash -c \'for ((i = 10; i < 1000; i++)); do eval "exec $i</dev/null"; done; exec "$@"\' bash "$@"',
  ],
  ["few descriptors", `exec prlimit --nofile=${isCompact() ? 6 : 10} "$@"`],
  ["a small stack", `exec prlimit --stack=${isCompact() ? 16_384 : 524_288} "$@"`],
  ["little address space", `exec prlimit --as=${isCompact() ? 8_000_000 : 4_000_000_000} "$@"`],
  ["no locked memory, no core, no pending signals", 'exec prlimit --memlock=0 --core=0 --sigpending=0 "$@"'],
  ["the lowest priority", 'exec nice -n 19 "$@"'],
  ["SIGPIPE ignored", 'exec env --ignore-signal=PIPE "$@"'],
  ["SIGCHLD ignored", 'exec env --ignore-signal=CHLD "$@"'],
  ["all signals ignored", 'exec env --ignore-signal "$@"'],
  ["all signals blocked", 'exec env --block-signal "$@"'],
  ["HOME and TMPDIR unset", 'unset HOME TMPDIR; exec "$@"'],
  ["PATH unset", 'unset PATH; exec "$@"'],
])("with %s an attachment has its whole life", async (_, line) => {
  await expectWholeLife(line);
});

describe("what is too little is one error", () => {
  // Bun's engine holds some of them.
  test.each(isCompact() ? [3, 4, 5] : [5, 6, 7])("%i descriptors", async (count) => {
    await expectOneError(`exec prlimit --nofile=${count} "$@"`, /too many open files \(EMFILE\)/);
  });

  test("no room for executable memory: the error says what to lift; the compact file needs none", async () => {
    const line = 'exec prlimit --as=1000000000 "$@"';
    if (isCompact()) return expectWholeLife(line);
    await expectOneError(
      line,
      /^error reading from stdin: the C library cannot be called \(.*\): .*RLIMIT_AS.*MemoryDenyWriteExecute=/,
    );
  });

  test("no file may grow", async () => {
    // Standard output is a pipe: it is the lease that can't be written.
    await expectOneError('ulimit -f 0; exec "$@"', /cannot write a lease .*file too large \(EFBIG\)/);
  });
});

describe("whatever the umask, new files have their modes", () => {
  const modes = ({ dataDir }: LeaseDirectory) =>
    Object.fromEntries(
      readdirSync(dataDir, { recursive: true, encoding: "utf8" }).map((name) => [
        name,
        (statSync(join(dataDir, name)).mode & 0o7777).toString(8),
      ]),
    );

  test.each([
    ["0", "755"],
    ["022", "755"],
    ["077", "700"],
    ["0777", "700"],
  ])("%s", async (umask, folder) => {
    using leases = new LeaseDirectory();
    const outcome = await surroundedCall(leases, { line: `umask ${umask}; exec "$@"` });
    expect(outcome.exitCode).toBe(0);
    expect(modes(leases)).toEqual({
      net: folder,
      "net/10.1.0.2": "600",
      "net/last_reserved_ip.0": "600",
      "net/lock": "600",
      ".bridgehead": "700",
      ".bridgehead/net.index": "600",
    });
  });
});

test("the working directory can't be read, or is a mount that is gone", async () => {
  await expectWholeLife('cd /proc/self/fdinfo && exec "$@"');
  await expectWholeLife('cd /proc/$$/map_files && exec "$@"');
});

describe("under a seccomp filter", () => {
  const onX64 = testUnless(process.arch === "x64" ? undefined : "the numbers are those of x64");
  const filter = (errno: number, calls: string): string =>
    `exec "${process.execPath}" "${import.meta.dir}/../support/confined.ts" ${errno} ${calls} "$@"`;
  const ENOSYS = 38;
  const EPERM = 1;

  onX64("that knows none of the newer system calls", async () => {
    const newer =
      "io_uring_setup,io_uring_enter,clone3,openat2,memfd_create,pidfd_open,epoll_pwait2,close_range,rseq,membarrier,copy_file_range,landlock_create_ruleset";
    await expectWholeLife(filter(ENOSYS, newer));
  });

  onX64("K21: that has only the system calls of Linux 4.11", async () => {
    // statx(2) was its newest.
    await expectWholeLife(filter(ENOSYS, "statx+"));
  });

  onX64("that forbids what containers may not do", async () => {
    await expectWholeLife(
      filter(EPERM, "io_uring_setup,memfd_create,pidfd_open,open_by_handle_at,prctl,setns,timerfd_create"),
    );
  });

  onX64("that forbids what is only for speed or for a proof", async () => {
    const calls = "fsetxattr fgetxattr utimensat statfs ioctl fcntl pwrite64 madvise";
    for (const call of calls.split(" ")) await expectWholeLife(filter(EPERM, call));
  });

  onX64("that forbids what is needed: one error says what was not permitted", async () => {
    const words = {
      statx: "look at",
      flock: "lock",
      fsync: "write to the disk",
      linkat: "make the file",
      getdents64: "list the directory",
    };
    for (const [call, action] of Object.entries(words)) {
      await expectOneError(filter(EPERM, call), new RegExp(`${action}.*operation not permitted \\(EPERM\\)`));
    }
  });
});
