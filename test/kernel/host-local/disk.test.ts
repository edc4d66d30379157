/** Disks that can't take a lease, each a file system of its own (rules L2, L3, A35). */
import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../../support/command.ts";
import { fail, HostLocalProcess, OURS, succeed } from "../../support/host-local-process.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";
import { withScratchHost } from "../../support/scratch-host.ts";

const IPAM = { ranges: [[{ subnet: "10.0.0.0/24" }]] };
const A = { containerId: "a" };
const B = { containerId: "b" };

/** Leases on a tmpfs with these mount options. */
async function withDisk(options: string, body: (leases: LeaseDirectory) => Promise<void>): Promise<void> {
  await withScratchHost(async () => {
    const place = mkdtempSync(join(tmpdir(), "disk-"));
    await outputOf(["mount", "-n", "-t", "tmpfs", "-o", options, "tmpfs", place]);
    try {
      using leases = new LeaseDirectory(place);
      await body(leases);
    } finally {
      await outputOf(["umount", "-n", place]);
      rmSync(place, { recursive: true });
    }
  });
}

async function expectOneError(leases: LeaseDirectory, text: string): Promise<void> {
  const before = leases.leases();
  const { code, msg } = await fail(OURS, "ADD", leases.network(IPAM), B);
  expect(code).toBe(5);
  expect(msg).toContain(text);
  expect(msg).toContain(leases.dataDir);
  expect(leases.leases()).toEqual(before);
}

describe("a disk", () => {
  test("L2: that is full: one clear error, nothing lost; DEL makes room, and the next ADD works", () =>
    withDisk("size=256k", async (leases) => {
      const config = leases.network(IPAM);
      await succeed(OURS, "ADD", config, A);
      await outputOf(`dd if=/dev/zero of=${leases.dataDir}/fill bs=4k 2>/dev/null || true`);
      await expectOneError(leases, "no space left on device");
      const status = await new HostLocalProcess(OURS, "STATUS", config, A).outcome();
      expect(JSON.parse(status.stdout)).toMatchObject({
        code: 50,
        msg: expect.stringContaining("no space left"),
      });
      await succeed(OURS, "CHECK", config, A);
      await succeed(OURS, "DEL", config, A);
      expect(leases.leases()).toEqual({});
      rmSync(join(leases.dataDir, "fill"));
      await succeed(OURS, "STATUS", config, A);
      expect(await succeed(OURS, "ADD", config, B)).toEqual(["10.0.0.3/24"]);
    }));

  test("L2: without inodes", () =>
    withDisk("nr_inodes=40", async (leases) => {
      await succeed(OURS, "ADD", leases.network(IPAM), A);
      mkdirSync(join(leases.dataDir, "fill"));
      for (let n = 0, full = false; !full; n++) {
        try {
          writeFileSync(join(leases.dataDir, "fill", String(n)), "");
        } catch {
          full = true;
        }
      }
      await expectOneError(leases, "no space left on device");
      await succeed(OURS, "DEL", leases.network(IPAM), A);
      expect(leases.leases()).toEqual({});
    }));

  test("L2: that is read-only: ADD, DEL and STATUS say so", () =>
    withDisk("size=1m", async (leases) => {
      const config = leases.network(IPAM);
      await succeed(OURS, "ADD", config, A);
      const place = leases.dataDir.slice(0, leases.dataDir.lastIndexOf("/"));
      await outputOf(["mount", "-n", "-o", "remount,ro", place]);
      try {
        await expectOneError(leases, "read-only file system");
        expect((await fail(OURS, "DEL", config, A)).msg).toContain("read-only file system");
        expect(await fail(OURS, "STATUS", config, A)).toMatchObject({ code: 50 });
        expect(leases.leases()).toEqual({ "10.0.0.2": "a\r\neth0" });
      } finally {
        await outputOf(["mount", "-n", "-o", "remount,rw", place]);
      }
    }));

  test("L6: on which the whole life of a network goes, to the last address", () =>
    withDisk("size=16m", async (leases) => {
      const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/28" }]] });
      const ids = Array.from({ length: 13 }, (_, n) => ({ containerId: `c${n}` }));
      for (const id of ids) await succeed(OURS, "ADD", config, id);
      expect((await fail(OURS, "ADD", config, B)).msg).toContain("no IP addresses available");
      for (const id of ids) await succeed(OURS, "CHECK", config, id);
      for (const id of ids) await succeed(OURS, "DEL", config, id);
      expect(leases.leases()).toEqual({});
    }));
});
