/** What the runtime no longer reads when a plugin starts (docs/decisions/0020-start-up-files.md). */
import { describe, expect, test } from "bun:test";
import { startUpPatches } from "../../build/start-up-files.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";
import { tracedAdd } from "../support/surrounded-call.ts";

testUnless(whyNoProgram("strace"))(
  "an ADD does not ask for control groups, its own size and nodes of memory",
  async () => {
    using leases = new LeaseDirectory();
    const calls = await tracedAdd(leases, "%file");
    const names = [...calls.matchAll(/"([^"]*)"/g)].map(([, name]) => name);
    // What the lease needs shows that strace saw the plugin.
    expect(names).toContain("/proc/sys/kernel/random/boot_id");
    expect(names.filter((name) => /cgroup|statm|\/node\/node/.test(name ?? ""))).toEqual([]);
  },
);

describe("the build refuses a runtime", () => {
  const NAMES = ["/proc/self/cgroup", "/proc/self/statm", "/sys/devices/system/node/node%u"];
  const program = (...names: string[]): Buffer => Buffer.from(`\0${names.join("\0")}\0`, "latin1");

  test.each(NAMES)("that lacks %s", (missing) => {
    expect(() => startUpPatches(program(...NAMES.filter((name) => name !== missing)))).toThrow(
      `cannot take out ${missing}: its place in the runtime was found 0 times, not once; ` +
        "read docs/decisions/0020-start-up-files.md before you use another version of Bun",
    );
  });

  test("that has a name twice", () => {
    expect(() => startUpPatches(program(...NAMES, "/proc/self/statm"))).toThrow("was found 2 times");
  });

  test("and takes the first character of each name of another", () => {
    const bytes = program("x", ...NAMES, "/not/proc/self/statm");
    for (const { offset, bytes: patch } of startUpPatches(bytes)) bytes.set(patch, offset);
    expect(bytes.toString("latin1")).toBe(
      "\0x\0\0proc/self/cgroup\0\0proc/self/statm\0\0sys/devices/system/node/node%u\0/not/proc/self/statm\0",
    );
  });
});
