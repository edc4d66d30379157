/** The compact file where the Bun file cannot run: every command, or one error object. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemCalls } from "../support/calls-of-source.ts";
import { isCompact } from "../support/engine.ts";
import { eventually } from "../support/eventually.ts";
import { hostTests } from "../support/host-test.ts";
import { MemoryGroup } from "../support/memory-group.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { ProgramFolder } from "../support/program-folder.ts";
import { protocolProblems } from "../support/protocol.ts";
import type { ScratchHost } from "../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../support/skip.ts";
import { PROJECT } from "../support/test-files.ts";
import { hostLocal, V4 } from "./bridge/network.ts";
import { everyCommand, KEPT } from "./every-command.ts";

const onlyCompact = isCompact() ? undefined : "the Bun file asks for more";
const hardTest = hostTests({ mayKeep: KEPT }, testUnless(onlyCompact));
const onX64 = process.arch === "x64" ? undefined : "the numbers are those of x64";
const hardTestOnX64 = hostTests({ mayKeep: KEPT }, testUnless(onlyCompact ?? onX64));

const script = (name: string) => `exec "${process.execPath}" "${join(PROJECT, "test/support", name)}"`;

async function whyNoMemoryGroup(): Promise<string | undefined> {
  try {
    await using _ = await MemoryGroup.of(8 << 20);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
const inGroup = hostTests({ mayKeep: KEPT }, testUnless(onlyCompact ?? (await whyNoMemoryGroup())));

describe("K21: every command of every plugin", () => {
  hardTest.each([
    ["in 8,000 KiB of address space", 'ulimit -v 8000; exec "$@"'],
    ["with 16 KiB of stack", 'ulimit -s 16; exec "$@"'],
    ["where no memory may become executable", `${script("no-new-code.ts")} "$@"`],
  ])("%s", (host, _, line) => everyCommand(host, { line }));

  inGroup("in a control group of 8 MiB", async (host) => {
    await using group = await MemoryGroup.of(8 << 20);
    await everyCommand(host, { line: group.line });
  });

  hardTest("with an IPAM plugin as a child, where no memory may become executable", async (host) => {
    using plugins = new ProgramFolder();
    for (const ipam of ["host-local", "static"])
      copyFileSync(`${builtBinaries()}/${ipam}`, `${plugins.path}/${ipam}`);
    await everyCommand(host, { line: `${script("no-new-code.ts")} "$@"`, path: plugins.path });
  });
});

describe("K9: every command is done, or is one error object and changes nothing", () => {
  const PLUGINS = ["bridge", "host-local", "loopback", "portmap", "static", "firewall", "tuning"];
  const config = (plugin: string, ipam: object) => ({
    ...{ cniVersion: "1.1.0", name: "testnet", type: plugin, bridge: "br0" },
    ipam,
    prevResult: { cniVersion: "1.1.0", interfaces: [], ips: [] },
    "cni.dev/valid-attachments": [],
  });
  /** Those that are done, as "bridge VERSION". */
  async function doneIn(host: ScratchHost, line: string, netns: string, ipam: object): Promise<string[]> {
    const done: string[] = [];
    for (const plugin of PLUGINS) {
      for (const command of ["VERSION", "STATUS", "ADD", "CHECK", "DEL", "GC"]) {
        const attachment = /STATUS|GC/.test(command) ? {} : { containerId: "c1", netns, ifname: "eth0" };
        const request = { command, config: config(plugin, ipam), path: "/", ...attachment };
        const outcome = await host.plugin(plugin, request, ["/bin/sh", "-c", line, "sh"]);
        expect(`${plugin} ${command}: ${outcome}`).toMatch(/: exit code [01], /);
        expect(protocolProblems(command, outcome)).toEqual([]);
        if (outcome.exitCode === 0) done.push(`${plugin} ${command}`);
      }
    }
    return done;
  }

  hardTest("in a root folder with nothing but the file", async (host) => {
    using root = new ProgramFolder();
    for (const plugin of PLUGINS) copyFileSync(`${builtBinaries()}/${plugin}`, join(root.path, plugin));
    const line = `exec chroot ${root.path} "/$(basename "$1")"`;
    const done = await doneIn(host, line, "/run/netns/c1", { ...hostLocal(V4), dataDir: "/leases" });
    for (const plugin of PLUGINS) expect(done).toContain(`${plugin} VERSION`);
    for (const each of ["host-local STATUS", "host-local GC", "static STATUS", "loopback STATUS"])
      expect(done).toContain(each);
  });

  hardTest("without /proc", async (host) => {
    const { path } = await host.addNamespace("c1");
    const without = "mount -n -t tmpfs none /proc";
    const line = `exec unshare --mount --propagation=private /bin/sh -ec '${without}; exec "$@"' sh "$@"`;
    const done = await doneIn(host, line, path, hostLocal(V4));
    for (const plugin of PLUGINS) expect(done).toContain(`${plugin} VERSION`);
    for (const each of ["host-local STATUS", "host-local GC", "static STATUS", "loopback STATUS"])
      expect(done).toContain(each);
  });
});

describe("K21: a processor without SSE4.2 and POPCNT", () => {
  const emulator = `qemu-${process.arch === "x64" ? "x86_64" : "aarch64"}`;
  const emulated = hostTests({ mayKeep: KEPT }, testUnless(onlyCompact ?? whyNoProgram(emulator)));
  // What user emulation passes on to the kernel: files, but not all of netlink.
  emulated("VERSION of every plugin, and the life of a lease", async (host) => {
    const model = process.arch === "x64" ? "qemu64" : "cortex-a53";
    const under = [Bun.which(emulator) ?? emulator, "-cpu", model];
    for (const plugin of ["bridge", "host-local", "loopback", "portmap", "static", "firewall", "tuning"]) {
      const outcome = await host.plugin(
        plugin,
        { command: "VERSION", config: { cniVersion: "1.1.0" } },
        under,
      );
      expect(`${plugin}: ${outcome}`).toStartWith(`${plugin}: exit code 0, `);
    }
    const config = { cniVersion: "1.1.0", name: "testnet", type: "host-local", ipam: hostLocal(V4) };
    const attachment = { containerId: "c1", netns: "/nowhere", ifname: "eth0" };
    for (const command of ["ADD", "CHECK", "DEL", "STATUS"]) {
      const outcome = await host.plugin("host-local", { command, config, ...attachment }, under);
      expect(`${command}: ${outcome}`).toStartWith(`${command}: exit code 0, `);
    }
  });
});

describe("K21: the region of memory grows where it ends", () => {
  hardTest("whatever the sizes of the blocks are that it grows for", async (host) => {
    using folder = new ProgramFolder();
    const log = join(folder.path, "calls");
    const odd = Array.from({ length: 60 }, (_, index) => "x".repeat(50_001 + index));
    const config = { cniVersion: "1.1.0", name: "testnet", type: "loopback", args: { odd } };
    const under = ["strace", "-e", "trace=mmap", "-o", log];
    const outcome = await host.plugin("loopback", { command: "STATUS", config, path: "/" }, under);
    expect(`${outcome}`).toStartWith("exit code 0, ");
    const wanted = [...readFileSync(log, "utf8").matchAll(/^mmap\((0x\w+), .+ = (\S+)$/gm)];
    expect(wanted.length).toBeGreaterThan(3);
    for (const [, place, given] of wanted) expect(given).toBe(place);
  });
});

/** The sets of docs/security.md. */
const [VERSION = [], COMMANDS = [], RULES = [], CHILDREN = []] = (() => {
  const text = readFileSync(join(PROJECT, "docs/security.md"), "utf8");
  const section = text.split("\n## System calls\n")[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\|[^|]+\|(.+)\|$/gm)]
    .map(([, calls = ""]) => [...calls.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name))
    .filter((calls) => calls.length > 0);
})();

/** What the host program and its C library make beside those of src. */
const OWN =
  "arch_prctl clock_gettime clone dup3 execve exit_group getpid getppid mmap munmap nanosleep prctl " +
  "restart_syscall rt_sigreturn set_tid_address setpgid wait4";

describe("K21: with only the system calls that docs/security.md lists", () => {
  const only = (...sets: readonly (readonly string[])[]) =>
    `${script("confined.ts")} only ${sets.flat().join(",")} "$@"`;

  test("each call of the sources is listed once, and no other", () => {
    const listed = [VERSION, COMMANDS, RULES, CHILDREN].flat();
    const made = new Set([...systemCalls().map(({ name }) => name), ...OWN.split(" ")]);
    expect(listed.toSorted()).toEqual([...made].sort());
  });

  hardTestOnX64("every command of every plugin", (host) =>
    everyCommand(host, { line: only(VERSION, COMMANDS, RULES) }),
  );

  hardTestOnX64("with an IPAM plugin as a child", async (host) => {
    using plugins = new ProgramFolder();
    for (const ipam of ["host-local", "static"])
      copyFileSync(`${builtBinaries()}/${ipam}`, `${plugins.path}/${ipam}`);
    await everyCommand(host, { line: only(VERSION, COMMANDS, RULES, CHILDREN), path: plugins.path });
  });

  hardTestOnX64("VERSION needs the first set only, and what is not in a set kills", async (host) => {
    const config = { cniVersion: "1.1.0", name: "testnet", type: "bridge", ipam: hostLocal(V4) };
    const call = (command: string, line: string) =>
      host.plugin("bridge", { command, config }, ["/bin/sh", "-c", line, "sh"]);
    expect(`${await call("VERSION", only(VERSION))}`).toStartWith("exit code 0, ");
    const SIGSYS = 31;
    expect((await call("STATUS", only(VERSION))).exitCode).toBe(128 + SIGSYS);
    const noSocket = COMMANDS.filter((name) => name !== "socket");
    expect((await call("STATUS", only(VERSION, noSocket))).exitCode).toBe(128 + SIGSYS);
  });
});

/** The rights of all pages of a process. */
const rightsOf = (pid: number): string[] =>
  [...readFileSync(`/proc/${pid}/maps`, "utf8").matchAll(/^\S+ (\S{3})/gm)].map(([, rights = ""]) => rights);

describe("no page is writable and executable", () => {
  hardTest("while the program waits for its input", async () => {
    const child = Bun.spawn([`${builtBinaries()}/host-local`], {
      stdin: "pipe",
      stdout: "pipe",
      env: { CNI_COMMAND: "STATUS", CNI_PATH: builtBinaries() },
    });
    // It waits in ppoll(2): the image is in place, and the sources run.
    const waits = () => readFileSync(`/proc/${child.pid}/wchan`, "utf8").includes("poll");
    await eventually("the program waits", waits);
    const rights = rightsOf(child.pid);
    await child.stdin.end();
    await child.exited;
    expect(rights.length).toBeGreaterThan(3);
    expect(rights).toContain("r-x");
    expect(rights.filter((each) => each.endsWith("wx"))).toEqual([]);
  });

  hardTest("in the headers of the file, its stack included, and it has at most 2 MB", () => {
    const file = readFileSync(`${builtBinaries()}/bridgehead`);
    // elf.h: offset, size and number of the program headers; type and flags of each.
    const [start, size, count] = [
      Number(file.readBigUInt64LE(32)),
      file.readUInt16LE(54),
      file.readUInt16LE(56),
    ];
    const headers = Array.from({ length: count }, (_, index) => ({
      type: file.readUInt32LE(start + index * size),
      flags: file.readUInt32LE(start + index * size + 4),
    }));
    const PT_GNU_STACK = 0x6474e551;
    const [EXECUTABLE, WRITABLE] = [1, 2];
    expect(headers.filter(({ flags }) => flags & EXECUTABLE && flags & WRITABLE)).toEqual([]);
    expect(headers.filter(({ type }) => type === PT_GNU_STACK)).toHaveLength(1);
    expect(file.length).toBeLessThanOrEqual(2_000_000);
    return Promise.resolve();
  });
});
