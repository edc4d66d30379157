/** Leases of real namespaces that end, of processes that hold them alive, and of an earlier boot (rules L4, L5). */
import { describe, expect } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { provenGone } from "../../../src/leases/netns-liveness.ts";
import { type NetnsRecord, ownPidNamespace } from "../../../src/leases/netns-record.ts";
import { Netns } from "../../../src/sys/netns.ts";
import { netnsLiveness } from "../../../src/sys/netns-handle.ts";
import { findLiveNetns } from "../../../src/sys/netns-references.ts";
import { outputOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { HostLocalProcess, OURS } from "../../support/host-local-process.ts";
import { hostTest } from "../../support/host-test.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";

/** Two addresses to give. */
const TWO = { ranges: [[{ subnet: "10.0.0.0/29", rangeEnd: "10.0.0.3" }]] };
const FULL = "no IP addresses available";

/** ADD for a container in a namespace: its address or the error's message, and what stderr said. */
async function add(
  leases: LeaseDirectory,
  containerId: string,
  netns: string,
  program: readonly string[] = [],
) {
  const process = new HostLocalProcess([...program, OURS], "ADD", leases.network(TWO), {
    containerId,
    netns,
  });
  const { exitCode, stdout, stderr } = await process.outcome();
  const document = JSON.parse(stdout) as { ips?: { address: string }[]; msg?: string };
  return { result: exitCode === 0 ? (document.ips?.[0]?.address ?? "") : (document.msg ?? ""), stderr };
}

/** Two containers that hold all there is. */
async function fill(host: ScratchHost, leases: LeaseDirectory): Promise<[NamedNamespace, NamedNamespace]> {
  const [a, b] = [await host.addNamespace("a"), await host.addNamespace("b")];
  expect((await add(leases, "a", a.path)).result).toBe("10.0.0.2/29");
  expect((await add(leases, "b", b.path)).result).toBe("10.0.0.3/29");
  return [a, b];
}

/** A process that keeps something of a namespace; it ends with its standard input. */
async function inside(command: readonly string[]): Promise<Subprocess<"pipe", "pipe", "inherit">> {
  const child = Bun.spawn([...command, "/bin/sh", "-c", "echo ready; read -r _"], {
    stdin: "pipe",
    stdout: "pipe",
  });
  for await (const _ of child.stdout) break;
  return child;
}

async function end(child: Subprocess<"pipe", "pipe", "inherit">): Promise<void> {
  child.stdin.end();
  await child.exited;
}

describe("a full range", () => {
  hostTest(
    "L4: gives what a namespace held that is gone, and says so; those that live keep theirs",
    async (host) => {
      using leases = new LeaseDirectory();
      const [a] = await fill(host, leases);
      const c = await host.addNamespace("c");
      expect((await add(leases, "c", c.path)).result).toContain(FULL);
      await host.run(["ip", "netns", "delete", a.name]);
      const { result, stderr } = await add(leases, "c", c.path);
      expect(result).toBe("10.0.0.2/29");
      expect(stderr).toContain("reclaimed 10.0.0.2 of container a, interface eth0");
      expect(leases.leases()).toEqual({ "10.0.0.2": "c\r\neth0", "10.0.0.3": "b\r\neth0" });
    },
  );

  const HOLDERS: readonly [
    name: string,
    command: (netns: NamedNamespace, file: string) => readonly string[],
  ][] = [
    ["a process inside", (netns) => ["nsenter", `--net=${netns.path}`]],
    [
      "an open descriptor of its mount",
      (netns) => ["/bin/sh", "-c", `exec 7<${netns.path}; exec "$@"`, "sh"],
    ],
    [
      "a descriptor of its link in /proc",
      (netns) => [
        ...["nsenter", `--net=${netns.path}`, "/bin/sh", "-c"],
        ...['exec 7</proc/self/ns/net; exec nsenter --net=/proc/1/ns/net "$@"', "sh"],
      ],
    ],
    [
      "a mount in another mount namespace",
      (netns, file) => [
        ...["unshare", "--mount", "/bin/sh", "-c", `mount --bind ${netns.path} ${file} && exec "$@"`],
        "sh",
      ],
    ],
  ];
  hostTest.each(HOLDERS)(
    "L4: takes nothing from a namespace without a name that %s keeps alive",
    async (host, _, command) => {
      using leases = new LeaseDirectory();
      const [a] = await fill(host, leases);
      const c = await host.addNamespace("c");
      const numbers = numbersOf(a.path);
      const file = join(leases.dataDir, "mount-point");
      writeFileSync(file, "");
      const holder = await inside(command(a, file));
      await host.run(["ip", "netns", "delete", a.name]);
      // Both ways to know: the kernel's own answer, and the search that older kernels need.
      expect([...findLiveNetns(new Set([numbers.inode]))]).toEqual([[numbers.inode, numbers.cookie]]);
      expect((await add(leases, "c", c.path)).result).toContain(FULL);
      expect(leases.leases()).toEqual({ "10.0.0.2": "a\r\neth0", "10.0.0.3": "b\r\neth0" });
      await end(holder);
      await eventually("the end of the namespace", () => findLiveNetns(new Set([numbers.inode])).size === 0);
      expect((await add(leases, "c", c.path)).result).toBe("10.0.0.2/29");
    },
  );

  hostTest("L4: gives all that an earlier boot left", async (host) => {
    using leases = new LeaseDirectory();
    await fill(host, leases);
    const c = await host.addNamespace("c");
    await withOtherBoot(leases, async (inOtherBoot) => {
      const { result, stderr } = await add(leases, "c", c.path, inOtherBoot);
      expect(result).toBe("10.0.0.2/29");
      expect(stderr).toContain("the host was rebooted");
    });
    expect(leases.leases()).toEqual({ "10.0.0.2": "c\r\neth0" });
  });
});

describe("a retry", () => {
  hostTest(
    "L5: gets its address back in a new namespace of the same name, not in the same one",
    async (host) => {
      using leases = new LeaseDirectory();
      const [a] = await fill(host, leases);
      expect((await add(leases, "a", a.path)).result).toContain("duplicate allocation is not allowed");
      await host.run(["ip", "netns", "delete", a.name]);
      await host.addNamespace("a");
      expect((await add(leases, "a", a.path)).result).toBe("10.0.0.2/29");
      expect((await add(leases, "a", a.path)).result).toContain("duplicate allocation is not allowed");
    },
  );

  hostTest("L5: gets its address back after a reboot", async (host) => {
    using leases = new LeaseDirectory();
    const [a] = await fill(host, leases);
    await withOtherBoot(leases, async (inOtherBoot) => {
      expect((await add(leases, "a", a.path, inOtherBoot)).result).toBe("10.0.0.2/29");
    });
  });
});

describe.each([
  ["by the kernel's answer", netnsLiveness],
  ["by a search, as older kernels need it", () => undefined],
])("liveness %s", (_, liveness) => {
  hostTest("L4: a namespace is gone although another has its number now", async (host) => {
    const old = await host.addNamespace("old");
    const record = recordOf(old.path);
    expect(provenGone([record], liveness())).toEqual(new Set());
    await host.run(["ip", "netns", "delete", "old"]);
    const young = await host.addNamespace("young");
    await eventually("the end of the namespace", () => provenGone([record], liveness()).has(record));
    expect(provenGone([recordOf(young.path)], liveness())).toEqual(new Set());
    expect(provenGone([{ ...record, netns: recordOf(young.path).netns }], liveness())).toEqual(new Set());
  });
});

hostTest("L4: a search says nothing of what another pid namespace's processes may hold", async (host) => {
  const record = recordOf((await host.addNamespace("a")).path);
  await host.run(["ip", "netns", "delete", "a"]);
  await eventually("the end of the namespace", () => provenGone([record], undefined).has(record));
  // From the machine's first pid namespace all others can be seen.
  const seesAll = ownPidNamespace() === "4026531836";
  expect(provenGone([{ ...record, pidNamespace: "4026539999" }], undefined).size).toBe(seesAll ? 1 : 0);
});

hostTest("L4: without its cookie a namespace whose number is in use counts as alive", async (host) => {
  const record = recordOf((await host.addNamespace("a")).path);
  const nameless = { ...record, netns: { ...record.netns, cookie: 0n } };
  for (const lives of [netnsLiveness(), undefined]) expect(provenGone([nameless], lives)).toEqual(new Set());
});

function recordOf(path: string): NetnsRecord {
  const pidNamespace = ownPidNamespace();
  if (pidNamespace === undefined) throw new Error("no pid namespace");
  return { boot: "0123456789abcdef", netns: numbersOf(path), pidNamespace };
}

function numbersOf(path: string): { inode: string; cookie: bigint } {
  using netns = Netns.open(path);
  const cookie = netns.cookie();
  if (cookie === undefined) throw new Error("this kernel gives namespaces no cookie");
  return { inode: netns.identity().inode, cookie };
}

/** A command prefix under which the kernel's boot id is another. */
async function withOtherBoot(
  leases: LeaseDirectory,
  body: (prefix: readonly string[]) => Promise<void>,
): Promise<void> {
  const file = join(leases.dataDir, "boot_id");
  writeFileSync(file, `${crypto.randomUUID()}\n`);
  const script = `mount --bind ${file} /proc/sys/kernel/random/boot_id && exec "$@"`;
  const prefix = ["unshare", "--mount", "/bin/sh", "-c", script, "sh"];
  expect(await outputOf([...prefix, "cat", "/proc/sys/kernel/random/boot_id"])).not.toBe(
    await outputOf(["cat", "/proc/sys/kernel/random/boot_id"]),
  );
  await body(prefix);
  rmSync(file);
}
