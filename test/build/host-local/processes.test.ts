/** Many processes over one directory of leases (rules L2, L7, L8): no address held twice, none lost, none leaked. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { fail, HostLocalProcess, OURS, succeed } from "../../support/host-local-process.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";
import { inParallel } from "../../support/parallel.ts";

/** 28 addresses to give in each set. */
const IPAM = {
  ranges: [
    [{ subnet: "10.0.0.0/27", rangeEnd: "10.0.0.29" }],
    [{ subnet: "fd00::/64", rangeEnd: "fd00::1d" }],
  ],
};
const containers = (count: number) => Array.from({ length: count }, (_, n) => ({ containerId: `c${n}` }));

/** Leases by owner, each of which must be whole. */
function ownersIn(leases: LeaseDirectory): Map<string, string[]> {
  const owners = new Map<string, string[]>();
  for (const [address, content] of Object.entries(leases.leases())) {
    expect(content).toMatch(/^c\d+\r\neth0$/);
    const [owner = ""] = content.split("\r\n");
    owners.set(owner, [...(owners.get(owner) ?? []), address]);
  }
  return owners;
}

describe("processes at once", () => {
  test("L8: exactly as many ADDs as there are addresses succeed, each with addresses of its own", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    const given = await inParallel(containers(28), 28, (one) => succeed(OURS, "ADD", config, one));
    expect(new Set(given.flat()).size).toBe(56);
    expect(Object.keys(leases.leases())).toHaveLength(56);
    const { msg } = await fail(OURS, "ADD", config, { containerId: "c99" });
    expect(msg).toContain("no IP addresses available in range set");
    await inParallel(containers(28), 28, (one) => succeed(OURS, "DEL", config, one));
    expect(leases.leases()).toEqual({});
  });

  test("L2: killed at any moment, they leave whole leases that DEL releases, and no address is lost", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    // As a runtime does: what fails or is killed is deleted, sometimes after the next try has begun.
    await inParallel(containers(60), 6, async (attachment) => {
      const add = new HostLocalProcess(OURS, "ADD", config, attachment);
      const killer = setTimeout(() => add.kill(), Math.random() * 60);
      await add.outcome();
      clearTimeout(killer);
      ownersIn(leases);
      const del = new HostLocalProcess(OURS, "DEL", config, attachment);
      const killsDel = Math.random() < 0.5;
      const delKiller = setTimeout(() => killsDel && del.kill(), Math.random() * 40);
      await del.outcome();
      clearTimeout(delKiller);
      if (killsDel) await succeed(OURS, "DEL", config, attachment);
    });
    expect(leases.leases()).toEqual({});
    await inParallel(containers(28), 8, (one) => succeed(OURS, "ADD", config, one));
    const owners = ownersIn(leases);
    expect(owners.size).toBe(28);
    for (const addresses of owners.values()) expect(addresses).toHaveLength(2);
  });

  test("L6: what another program does without the lock is noticed by the next", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    for (const attachment of containers(5)) await succeed(OURS, "ADD", config, attachment);
    leases.remove("10.0.0.3");
    leases.write("10.0.0.7", "c50\r\neth0");
    expect(await succeed(OURS, "ADD", config, { containerId: "c6" })).toEqual(["10.0.0.8/27", "fd00::7/64"]);
    await succeed(OURS, "CHECK", config, { containerId: "c50" });
    await succeed(OURS, "DEL", config, { containerId: "c50" });
    expect(leases.leases()["10.0.0.7"]).toBeUndefined();
  });

  test("L7: who waits for the lock gets it when it is given back", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    await succeed(OURS, "ADD", config, { containerId: "c1" });
    const keeper = await LockKeeper.on(join(leases.path, "lock"));
    const waiting = new HostLocalProcess(OURS, "ADD", config, { containerId: "c2" });
    await eventually("the ADD in the lock's queue", () =>
      readFileSync("/proc/locks", "utf8")
        .split("\n")
        .some((line) => line.includes("->") && line.includes(` ${waiting.pid} `)),
    );
    expect(Object.keys(leases.leases())).toHaveLength(2);
    await keeper[Symbol.asyncDispose]();
    expect((await waiting.outcome()).exitCode).toBe(0);
    expect(Object.keys(leases.leases())).toHaveLength(4);
  });
});
