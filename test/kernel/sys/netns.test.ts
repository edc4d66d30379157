/** Entering namespaces, and the way back whatever happens inside; the sysctls of the one and the other. */
import { expect } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { failedWith } from "../../../src/sys/errno.ts";
import { isOwnNetns, Netns, NoNamespaceError } from "../../../src/sys/netns.ts";
import { ensureSysctl, readSysctl } from "../../../src/sys/sysctl.ts";
import { hostTest } from "../../support/host-test.ts";

const here = () => readlinkSync("/proc/thread-self/ns/net");

/** How many of this process's descriptors are network namespaces. */
function descriptorsOfNamespaces(): number {
  const targets = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      // The descriptor that the folder was listed through.
      return [];
    }
  });
  return targets.filter((target) => target.startsWith("net:[")).length;
}

hostTest("run is inside, then back; also when what runs there throws", async (host) => {
  const box = await host.addNamespace("box");
  const home = here();
  const judge = (await box.run("readlink /proc/self/ns/net")).trim();
  expect(descriptorsOfNamespaces()).toBe(0);
  {
    using netns = Netns.open(box.path);
    expect(judge).toBe(`net:[${netns.identity().inode}]`);
    expect(netns.run(here)).toBe(judge);
    expect(here()).toBe(home);
    expect(() =>
      netns.run(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(here()).toBe(home);
    // Children started inside begin there.
    const child = netns.run(() => Bun.spawnSync(["readlink", "/proc/self/ns/net"]));
    expect(child.stdout.toString().trim()).toBe(judge);
    // One in another, and back step by step.
    const other = await host.addNamespace("other");
    using second = Netns.open(other.path);
    const places = netns.run(() => [here(), second.run(here), here()]);
    expect(places).toEqual([judge, (await other.run("readlink /proc/self/ns/net")).trim(), judge]);
    expect(isOwnNetns(box.path)).toBe(false);
    expect(netns.run(() => isOwnNetns(box.path))).toBe(true);
    expect(isOwnNetns("/proc/self/ns/net")).toBe(true);
  }
  expect(descriptorsOfNamespaces()).toBe(0);
});

hostTest("asynchronous code is refused: it would go on elsewhere", async (host) => {
  const box = await host.addNamespace("box");
  using netns = Netns.open(box.path);
  const home = here();
  expect(() => netns.run(() => Promise.resolve(1))).toThrow(TypeError);
  expect(here()).toBe(home);
});

hostTest("a deleted namespace leads nowhere, an open one stays", async (host) => {
  const box = await host.addNamespace("box");
  using netns = Netns.open(box.path);
  const { inode } = netns.identity();
  await host.run("ip netns delete box");
  expect(() => Netns.open(box.path)).toThrow(NoNamespaceError);
  expect(netns.run(here)).toBe(`net:[${inode}]`);
});

hostTest(
  "sysctls are those of the thread's namespace, interface names with dots stay one name",
  async (host) => {
    const box = await host.addNamespace("box");
    using netns = Netns.open(box.path);
    const forward = ["net", "ipv4", "ip_forward"] as const;
    const before = readSysctl(...forward);
    netns.run(() => ensureSysctl(forward, before === "1" ? "0" : "1"));
    expect(readSysctl(...forward)).toBe(before);
    expect((await box.run("cat /proc/sys/net/ipv4/ip_forward")).trim()).not.toBe(before);
    await box.run("ip link add br0.7 type bridge");
    netns.run(() => ensureSysctl(["net", "ipv6", "conf", "br0.7", "accept_ra"], "0"));
    expect((await box.run("cat /proc/sys/net/ipv6/conf/br0.7/accept_ra")).trim()).toBe("0");
  },
);

hostTest(
  "ensureSysctl writes only what differs: a read-only setting that is right does no harm",
  async (host) => {
    const path = ["net", "ipv4", "conf", "lo", "forwarding"] as const;
    const value = readSysctl(...path);
    await host.run("mount -t proc -o ro proc /mnt && mount --bind /mnt/sys /proc/sys");
    try {
      ensureSysctl(path, value);
      const wrong = () => ensureSysctl(path, value === "1" ? "0" : "1");
      expect(wrong).toThrow("EROFS");
    } finally {
      await host.run("umount /proc/sys && umount /mnt");
    }
    let missing: unknown;
    try {
      readSysctl("net", "ipv4", "conf", "nothing", "forwarding");
    } catch (error) {
      missing = error;
    }
    expect(failedWith(missing, "ENOENT")).toBe(true);
  },
);
