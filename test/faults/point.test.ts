import { describe, expect, test } from "bun:test";
import { systemCalls } from "../support/calls-of-source.ts";
import { judgeError } from "./disturb.ts";
import { hitIn, injection, isListed, pointsOf } from "./point.ts";

const TRACE = `execve("/x/bridge", ["/x/bridge"], 0x7ffd /* 7 vars */) = 0
openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
write(9<anon_inode:[eventfd]>, "", 8) = 8
ppoll([{fd=0<pipe:[1]>, events=POLLIN}], 1, {tv_sec=0}, NULL, 0) = 1
read(0<pipe:[1]>, "{}", 4096) = 2
clone3({flags=CLONE_VM|CLONE_THREAD, stack_size=0x10000}, 88) = 24
openat(AT_FDCWD, "/proc/self/statm", O_RDONLY) = 5
openat(AT_FDCWD, "/var/lib/cni/lock", O_RDWR|O_CREAT, 0600) = 5
openat(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", O_RDONLY) = 6
write(6</x>, "1", 1) = ? ERESTARTNOINTR (To be restarted)
write(6</x>, "1", 1) = 1
ppoll([{fd=3}], 1, NULL, NULL, 8) = 1
clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88) = 25
ppoll([{fd=3}], 1, NULL, NULL, 8) = 1
exit_group(0) = ?
`;
const names = (trace: string, child?: string) =>
  pointsOf(trace, child).map(({ call, when, changes }) => `${call} ${when}${changes ? "" : " asks"}`);

describe("the points of a trace", () => {
  test("begin with standard input, count from the start, and leave out the runtime's own", () => {
    expect(names(TRACE)).toEqual([
      ...["ppoll 1 asks", "read 1 asks", "openat 3", "openat 4 asks", "write 2", "ppoll 2 asks"],
      ...["clone3 2", "ppoll 3", "exit_group 1"],
    ]);
  });

  test("are everything in a child that is no plugin", () => {
    expect(
      names('socket(AF_INET, SOCK_RAW, 255) = 3\nsetsockopt(3, SOL_IP, 64, "nat", 9) = 0\n', "x"),
    ).toEqual(["socket 1 asks", "setsockopt 1"]);
  });

  test("count each thread for itself, and each call once", () => {
    const trace =
      '1 read(0, "", 9) = 0\n1 flock(3, 2) = 0\n2 flock(4, 2) = 0\n2 flock(4, 2 <unfinished ...>\n';
    expect(names(trace)).toEqual(["read 1 asks", "flock 1", "flock 2"]);
  });

  test("cover each system call that the plugin makes", () => {
    const calls = systemCalls().map(({ name }) => name);
    expect(calls.length).toBeGreaterThan(35);
    expect(calls.filter((call) => !isListed(call))).toEqual([]);
  });

  test("are hit by strace's options", () => {
    const [point] = pointsOf("flock(3, 2) = 0\n", "x");
    expect(point && injection(point, "error=EIO")).toEqual([
      "--trace=flock",
      "--inject=flock:error=EIO:when=1",
    ]);
  });
});

describe("what was hit", () => {
  test.each<[string, string, string | undefined]>([
    [
      "an error",
      "flock(3, 2) = 0\nflock(3, 2) = -1 EIO (Input) (INJECTED)\n",
      "flock(3, 2) = -1 EIO (Input) (INJECTED)",
    ],
    ["a kill", "flock(3, 2) = 0\nflock(4, 2) = ?\n+++ killed by SIGKILL +++\n", "flock(4, 2) = ?"],
    [
      "a kill among threads",
      "7 flock(4, 2 <unfinished ...>) = ?\n8 +++ killed by SIGKILL +++\n7 +++ killed by SIGKILL +++\n",
      "7 flock(4, 2 <unfinished ...>) = ?",
    ],
    ["nothing", "flock(3, 2) = 0\n+++ exited with 0 +++\n", undefined],
  ])("%s", (_what, trace, hit) => {
    expect(hitIn(trace)).toBe(hit as string);
  });
});

describe("an error", () => {
  const judge = (stdout: string, exitCode = 1, stderr = "") =>
    judgeError({ exitCode, stdout, stderr }).map(({ text }) => text.slice(0, text.indexOf(": exit")));
  const error = (msg: string) => JSON.stringify({ cniVersion: "1.1.0", code: 999, msg });

  test("is one object that names the step", () => {
    expect(judge(error('cannot add veth "eth0": no space left on device (ENOSPC)'))).toEqual([]);
  });

  test.each<[string, string[]]>([
    [error("setsockopt: input/output error (EIO)"), ["the error names no step"]],
    [error("cannot a") + error("cannot b"), ["failure without an error object"]],
    ["", ["failure without an error object"]],
    ['{"msg":"cannot x"}', ["failure without an error object"]],
  ])("is not %j", (stdout, problems) => {
    expect(judge(stdout)).toEqual(problems);
  });

  test("comes with exit code 1 and without a stack trace", () => {
    expect(judge(error("cannot x"), 134)).toEqual(["exit code 134"]);
    expect(judge(error("cannot x"), 1, "TypeError: x\n    at add (/x/add.ts:1:1)\n")).toEqual([
      "a stack trace",
    ]);
  });
});
