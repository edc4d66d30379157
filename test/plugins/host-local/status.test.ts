import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toCniError } from "../../../src/cni/error.ts";
import { FileLock } from "../../../src/sys/flock.ts";
import { hostLocalOn } from "../../support/host-local-call.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";

const { add, status } = hostLocalOn();
const IPAM = { ranges: [[{ subnet: "10.0.0.0/29" }], [{ subnet: "fd00::/126" }]] };

const failure = async (config: object) => toCniError(await status({ config }).catch((error) => error));

describe("STATUS", () => {
  test("A35, L1: ready with addresses left, with or without a directory, and nothing is made", async () => {
    using leases = new LeaseDirectory();
    await status({ config: leases.network(IPAM) });
    await status({ config: leases.network({ ...IPAM, dataDir: join(leases.dataDir, "deep/er") }) });
    expect(readdirSync(leases.dataDir)).toEqual([]);
    await add({ config: leases.network(IPAM) });
    const before = leases.all();
    await status({ config: leases.network(IPAM) });
    expect(leases.all()).toEqual(before);
  });

  test("A35, L1: 50 when a set is exhausted, with the counts", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(IPAM);
    for (const containerId of ["a", "b"]) await add({ config, containerId });
    const { code, message, details } = await failure(config);
    expect(code).toBe(50);
    expect(message).toContain("range set 1 (fd00::1-fd00::3): 2 of 2 held");
    expect(message).toContain(leases.path);
    expect(details).toContain("range set 0 (10.0.0.1-10.0.0.6): 2 of 5 held");
  });

  test("L2: empty files do not exhaust a set", async () => {
    using leases = new LeaseDirectory();
    for (const name of ["fd00::2", "fd00::3"]) leases.write(name, "");
    await status({ config: leases.network(IPAM) });
  });

  test("L11: a set without an address to hand out is exhausted", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.255" }]] });
    expect((await failure(config)).code).toBe(50);
  });

  test("a /64 is counted without a loop over it", async () => {
    using leases = new LeaseDirectory();
    await add({ config: leases.network({ subnet: "fd00::/64" }) });
    await status({ config: leases.network({ subnet: "fd00::/64" }) });
  });

  const UNUSABLE: readonly [name: string, spoil: (leases: LeaseDirectory) => void][] = [
    ["a file in its place", ({ path }) => writeFileSync(path, "")],
    ["a directory for a lock", ({ path }) => mkdirSync(join(path, "lock"), { recursive: true })],
    ["a link that leads in a circle", ({ path }) => symlinkSync(path, path)],
  ];
  test.each(UNUSABLE)("L1: 50 when the directory is unusable: %s", async (_, spoil) => {
    using leases = new LeaseDirectory();
    spoil(leases);
    const { code, message } = await failure(leases.network(IPAM));
    expect(code).toBe(50);
    expect(message).toContain(leases.path);
  });

  test("L1: does not wait for the lock", async () => {
    using leases = new LeaseDirectory();
    await add({ config: leases.network(IPAM) });
    using _ = FileLock.acquire(join(leases.path, "lock"), 0);
    await status({ config: leases.network(IPAM) });
  });

  test("a wrong configuration is code 7", async () => {
    using leases = new LeaseDirectory();
    expect((await failure(leases.network({}))).code).toBe(7);
  });
});
