/** Which leases come back without a DEL, and which never do (rules L4, L5). */
import { describe, expect, test } from "bun:test";
import { copyFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { LeaseScene } from "../../support/lease-scene.ts";

/** A network with two addresses to give, 10.0.0.2 and 10.0.0.3. */
const TWO = { ranges: [[{ subnet: "10.0.0.0/29", rangeEnd: "10.0.0.3" }]] };

const FULL = "no IP addresses available in range set";

describe("when a set is exhausted", () => {
  test("L4: a lease whose namespace is gone is reclaimed, and this is logged", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    await scene.add("b");
    scene.crash("a");
    expect(await scene.add("c")).toBe("10.0.0.2/29");
    expect(scene.lines).toEqual([
      `host-local: reclaimed 10.0.0.2 of container a, interface eth0 (${scene.leases.path}/10.0.0.2): its network namespace is gone`,
    ]);
    expect(scene.leases.leases()).toEqual({ "10.0.0.2": "c\r\neth0", "10.0.0.3": "b\r\neth0" });
  });

  test("L4: all leases of an earlier boot are reclaimed", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    await scene.add("b");
    scene.boot.reboot();
    expect(await scene.add("c")).toBe("10.0.0.2/29");
    expect(scene.lines.map((line) => line.replace(/.*: /, ""))).toEqual(
      Array(2).fill("the host was rebooted"),
    );
    expect(scene.leases.leases()).toEqual({ "10.0.0.2": "c\r\neth0" });
  });

  test("L4: nothing is reclaimed while an address is free", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    scene.crash("a");
    expect(await scene.add("b")).toBe("10.0.0.3/29");
    expect(Object.keys(scene.leases.leases())).toEqual(["10.0.0.2", "10.0.0.3"]);
    expect(scene.lines).toEqual([]);
  });

  test("L4: live leases are never reclaimed, even after another DEL and ADD", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    await scene.add("b");
    await scene.del("a");
    await scene.add("a");
    expect(await scene.add("c")).toContain(FULL);
    expect(scene.lines).toEqual([]);
  });

  test("L4: a new namespace with a dead one's number does not keep the old lease", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    await scene.add("b");
    scene.crash("a");
    scene.boot.addNetns("/run/netns/c");
    expect(await scene.add("c")).toBe("10.0.0.2/29");
  });

  test("L4: leases of other tools, of unknown origin, or without a namespace at ADD are never reclaimed", async () => {
    using scene = new LeaseScene(TWO);
    await scene.call("add", "a", { netns: "/nowhere" });
    scene.leases.write("10.0.0.3", "b\r\neth0");
    scene.boot.reboot();
    expect(await scene.add("c")).toContain(FULL);
    expect(scene.leases.leases()).toEqual({ "10.0.0.2": "a\r\neth0", "10.0.0.3": "b\r\neth0" });
  });

  const FOREIGN: readonly [name: string, edit: (path: string) => void][] = [
    [
      "replaced by another program",
      (path) => {
        rmSync(path);
        writeFileSync(path, "a\r\neth0");
      },
    ],
    [
      "copied over itself",
      (path) => {
        copyFileSync(path, `${path}.x`);
        renameSync(`${path}.x`, path);
      },
    ],
    ["given to another attachment in place", (path) => writeFileSync(path, "z\r\neth0")],
  ];
  test.each(FOREIGN)("L4: a lease %s is never reclaimed", async (_, edit) => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    await scene.add("b");
    edit(scene.path("10.0.0.2"));
    scene.crash("a");
    expect(await scene.add("c")).toContain(FULL);
    scene.crash("b");
    expect(await scene.add("c")).toBe("10.0.0.3/29");
  });

  test("L4: a requested address is reclaimed from a dead attachment", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    expect(await scene.add("b", "IP=10.0.0.2")).toContain("requested IP address 10.0.0.2 is not available");
    scene.crash("a");
    expect(await scene.add("b", "IP=10.0.0.2")).toBe("10.0.0.2/29");
  });

  test("L4, A35: STATUS counts reclaimable leases as available and changes nothing", async () => {
    using scene = new LeaseScene({ ...TWO, statusReportsExhaustion: true });
    await scene.add("a");
    await scene.add("b");
    expect(await scene.call("status", "")).toContain(FULL.slice(0, 25));
    scene.crash("b");
    const before = scene.leases.all();
    expect(await scene.call("status", "")).toBe("done");
    expect(scene.leases.all()).toEqual(before);
  });
});

describe("a repeated ADD of the same attachment", () => {
  test("L5: gets its address again if its namespace is gone, and keeps the hint", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    await scene.add("b");
    scene.crash("a");
    expect(await scene.add("a")).toBe("10.0.0.2/29");
    expect(scene.lines).toHaveLength(1);
    expect(scene.lines[0]).toContain("its network namespace is gone");
    expect(scene.leases.all()["last_reserved_ip.0"]).toBe("10.0.0.3");
    expect(await scene.add("a")).toContain("duplicate allocation");
  });

  test("L5: gets its address again after a reboot", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    scene.boot.reboot();
    expect(await scene.add("a")).toBe("10.0.0.2/29");
  });

  test("L5: gets its address again in a new namespace with the same path and number", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    const before = scene.boot.record("/run/netns/a")?.netns.inode;
    scene.crash("a");
    scene.boot.addNetns("/run/netns/a");
    expect(scene.boot.record("/run/netns/a")?.netns.inode).toBe(before);
    expect(await scene.add("a")).toBe("10.0.0.2/29");
  });

  test("L5: gets another requested address, and its old one is freed", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    scene.crash("a");
    expect(await scene.add("a", "IP=10.0.0.3")).toBe("10.0.0.3/29");
    expect(scene.leases.leases()).toEqual({ "10.0.0.3": "a\r\neth0" });
  });

  test("L5: is refused while the attachment lives", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    expect(await scene.add("a")).toContain(
      "10.0.0.2 has been allocated to a, duplicate allocation is not allowed",
    );
    expect(scene.lines).toEqual([]);
  });

  test("L5: is always refused without a netns record", async () => {
    using scene = new LeaseScene(TWO);
    await scene.call("add", "a", { netns: "/nowhere" });
    scene.boot.reboot();
    expect(await scene.add("a")).toContain("duplicate allocation is not allowed");
    scene.leases.write("10.0.0.3", "b\r\neth0");
    expect(await scene.add("b")).toContain("duplicate allocation is not allowed");
  });

  test("L5: is refused if one of several leases is live, and nothing is released", async () => {
    using scene = new LeaseScene(TWO);
    await scene.add("a");
    scene.crash("a");
    scene.leases.write("10.0.0.3", "a\r\neth0");
    expect(await scene.add("a")).toContain("10.0.0.3 has been allocated to a");
    expect(Object.keys(scene.leases.leases())).toEqual(["10.0.0.2", "10.0.0.3"]);
  });
});
