import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toCniError } from "../../../src/cni/error.ts";
import { type Boot, thisBoot } from "../../../src/leases/boot.ts";
import { SystemError } from "../../../src/sys/errno.ts";
import { lockFile } from "../../../src/sys/flock.ts";
import { hostLocalOn } from "../../support/host-local-call.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";

const { add, status } = hostLocalOn();
const IPAM = { ranges: [[{ subnet: "10.0.0.0/29" }], [{ subnet: "fd00::/126" }]] };

const failure = async (config: object) => toCniError(await status({ config }).catch((error) => error));

describe("STATUS", () => {
  test("A35, L1: is ready while addresses are free, with or without a directory, and creates nothing", async () => {
    using leases = new LeaseDirectory();
    await status({ config: leases.network(IPAM) });
    await status({ config: leases.network({ ...IPAM, dataDir: join(leases.dataDir, "deep/er") }) });
    expect(readdirSync(leases.dataDir)).toEqual([]);
    await add({ config: leases.network(IPAM) });
    const before = leases.all();
    await status({ config: leases.network(IPAM) });
    expect(leases.all()).toEqual(before);
  });

  test("K27: is not ready if the data directory is a dangling link, as to a disk that is not mounted", async () => {
    using leases = new LeaseDirectory();
    const link = join(leases.dataDir, "link");
    symlinkSync(join(leases.dataDir, "absent"), link);
    for (const dataDir of [link, join(link, "deep")]) {
      const config = leases.network({ ...IPAM, dataDir });
      expect((await failure(config)).code).toBe(50);
      await expect(add({ config })).rejects.toThrow(/no such file/);
    }
    mkdirSync(join(leases.dataDir, "absent"));
    await status({ config: leases.network({ ...IPAM, dataDir: link }) });
  });

  test("A35, K27: full sets are not an error, but one log line with the counts of each", async () => {
    using leases = new LeaseDirectory();
    const pools = {
      ranges: [[{ subnet: "10.0.0.0/29" }], [{ subnet: "fd00::/126" }], [{ subnet: "10.1.0.0/30" }]],
    };
    const config = leases.network(pools);
    const lines: string[] = [];
    await add({ config, containerId: "a" });
    await status({ config, lines });
    expect(lines).toEqual([
      `host-local: no IP addresses available in range set 2 (10.1.0.1-10.1.0.2): 1 of 1 held in ${leases.path}; ` +
        "DEL attachments that are gone, run GC, or configure a larger range",
    ]);
    lines.length = 0;
    for (const name of ["fd00::2", "fd00::3"]) leases.write(name, "other\r\neth0");
    await status({ config, lines });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      "range set 1 (fd00::1-fd00::3): 2 of 2 held; range set 2 (10.1.0.1-10.1.0.2): 1 of 1 held",
    );
  });

  test("K27: a failure to count is not an error", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ subnet: "10.0.0.0/30" });
    await add({ config });
    const lines: string[] = [];
    const dazed: Boot = {
      ...thisBoot,
      id: () => {
        throw new SystemError("read", 5, "boot_id");
      },
    };
    await hostLocalOn(dazed).status({ config, lines });
    expect(lines).toEqual([expect.stringContaining("boot_id")]);
  });

  test("K27: accepts missing ranges if the runtime gives them with each ADD, since libcni sends none with STATUS", async () => {
    using leases = new LeaseDirectory();
    const given = { capabilities: { ipRanges: true } };
    await status({ config: leases.network({}, given) });
    expect((await failure(leases.network({ dataDir: "/dev/null/leases" }, given))).code).toBe(50);
    expect((await failure(leases.network({}, { capabilities: { ipRanges: false } }))).code).toBe(7);
  });

  test("A35, K27: 50 with statusReportsExhaustion when a set is exhausted, with the counts", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ...IPAM, statusReportsExhaustion: true });
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

  test("L11: a set without an address to give out is a wrong configuration: 50", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.255" }]] });
    expect((await failure(config)).code).toBe(50);
  });

  test("a /64 is counted without walking through it", async () => {
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
    using _ = lockFile(join(leases.path, "lock"), 0);
    await status({ config: leases.network(IPAM) });
  });

  test("a wrong configuration is code 7", async () => {
    using leases = new LeaseDirectory();
    expect((await failure(leases.network({}))).code).toBe(7);
  });
});
