import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { toCniError } from "../../../src/cni/error.ts";
import { FakeBoot } from "../../support/fake-boot.ts";
import { hostLocalOn } from "../../support/host-local-call.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";

const { add, check, gc } = hostLocalOn();
const IPAM = { ranges: [[{ subnet: "10.0.0.0/24" }], [{ subnet: "fd00::/64" }]] };

const collect = (leases: LeaseDirectory, valid: unknown, lines: string[] = []) =>
  gc({
    config: leases.network(IPAM, valid === undefined ? {} : { "cni.dev/valid-attachments": valid }),
    lines,
  });

describe("GC", () => {
  test("L1, A37: frees only leases that are not listed", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    for (const containerId of ["a", "b"])
      for (const ifname of ["eth0", "eth1"]) await add({ config, containerId, ifname });
    const lines: string[] = [];
    await collect(
      leases,
      [
        { containerID: "a", ifname: "eth1" },
        { containerID: "b", ifname: "eth0" },
      ],
      lines,
    );
    expect(Object.values(leases.leases())).toEqual(["a\r\neth1", "b\r\neth0", "a\r\neth1", "b\r\neth0"]);
    expect(lines).toHaveLength(4);
    await check({ config, containerId: "a", ifname: "eth1" });
  });

  test("L1: keeps the lock, hints, old-format files of valid ids, and files that are not leases", async () => {
    using leases = new LeaseDirectory();
    leases.write("10.0.0.2", "valid");
    leases.write("10.0.0.3", "stale");
    leases.write("10.0.0.4", "reserved by the admin, call 4711");
    leases.write("notes.txt", "stale\r\neth0");
    mkdirSync(join(leases.path, "10.0.0.5"));
    leases.write("lock", "");
    leases.write("last_reserved_ip.0", "10.0.0.4");
    await collect(leases, [{ containerID: "valid", ifname: "eth0" }]);
    expect(leases.all()).toEqual({
      "10.0.0.2": "valid",
      "10.0.0.4": "reserved by the admin, call 4711",
      "10.0.0.5": "(directory)",
      "last_reserved_ip.0": "10.0.0.4",
      lock: "",
      "notes.txt": "stale\r\neth0",
    });
  });

  test("A39: refuses a missing list and frees nothing", async () => {
    using leases = new LeaseDirectory();
    await add({ config: leases.network(IPAM) });
    expect(toCniError(await collect(leases, undefined).catch((error) => error)).code).toBe(7);
    expect(Object.keys(leases.leases())).toHaveLength(2);
  });

  test.each([
    ["null", null],
    ["an empty list", []],
  ])(
    "K28: %s frees leases of an earlier boot, without a living namespace, or without a record",
    async (_, list) => {
      using leases = new LeaseDirectory();
      const machine = new FakeBoot();
      const node = hostLocalOn(machine);
      const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/24" }]] });
      machine.addNetns("old");
      await node.add({ config, containerId: "old", netns: "old" });
      machine.reboot();
      for (const netns of ["gone", "living"]) {
        machine.addNetns(netns);
        await node.add({ config, containerId: netns, netns });
      }
      machine.removeNetns("gone");
      leases.write("10.0.0.9", "foreign\r\neth0");
      const lines: string[] = [];
      await node.gc({ config: { ...config, "cni.dev/valid-attachments": list }, lines });
      expect(leases.leases()).toEqual({ "10.0.0.4": "living\r\neth0" });
      expect(lines.filter((line) => line.includes("is kept"))).toEqual([
        "host-local: 10.0.0.4 of container living, interface eth0 is kept: its network namespace lives",
      ]);
    },
  );

  test("K28: a list with an attachment frees leases with a living namespace, too", async () => {
    using leases = new LeaseDirectory();
    const machine = new FakeBoot();
    const node = hostLocalOn(machine);
    machine.addNetns("living");
    await node.add({ config: leases.network(IPAM), containerId: "living", netns: "living" });
    const valid = [{ containerID: "other", ifname: "eth0" }];
    await node.gc({ config: leases.network(IPAM, { "cni.dev/valid-attachments": valid }) });
    expect(leases.leases()).toEqual({});
  });

  test("A37: continues after a lease that can't be removed, and reports it", async () => {
    using leases = new LeaseDirectory();
    await add({ config: leases.network(IPAM) });
    await gc({
      config: leases.network({ dataDir: join(leases.dataDir, "none") }, { "cni.dev/valid-attachments": [] }),
    });
    expect(Object.keys(leases.leases())).toHaveLength(2);
  });

  test("L1: reads attachments that another program wrote into a lease in place", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    for (let n = 0; n < 60; n++) await add({ config, containerId: `c${n}` });
    await leases.overwrite("10.0.0.40", "valid\r\neth0");
    await collect(leases, [{ containerID: "valid", ifname: "eth0" }]);
    expect(leases.leases()).toEqual({ "10.0.0.40": "valid\r\neth0" });
  });

  test("L1, L6: accepts invalid ranges and a missing directory", async () => {
    using leases = new LeaseDirectory();
    await gc({ config: leases.network({ ranges: "x" }, { "cni.dev/valid-attachments": [] }) });
    expect(leases.all()).toEqual({});
  });
});
