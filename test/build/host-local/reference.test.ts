/** Side by side with the reference on one directory (rules H50–H53): an upgrade, a downgrade, and both at once. */
import { describe, expect } from "bun:test";
import { fail, OURS, succeed } from "../../support/host-local-process.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";
import { inParallel } from "../../support/parallel.ts";
import { referencePlugin, whyNoReference } from "../../support/reference-plugin.ts";
import { testUnless } from "../../support/skip.ts";

const test = testUnless(whyNoReference("host-local"));
const THEIRS = referencePlugin("host-local");

const IPAM = { ranges: [[{ subnet: "10.0.0.0/24" }], [{ subnet: "fd00::/64" }]] };
/** The reference of Debian 12 knows no later version. */
const network = (leases: LeaseDirectory, ipam: object = IPAM) =>
  leases.network(ipam, { cniVersion: "1.0.0" });

describe("beside the reference", () => {
  test("H48, H51: they take turns in one round", async () => {
    using leases = new LeaseDirectory();
    const config = network(leases);
    const given: string[] = [];
    for (const [index, program] of [OURS, THEIRS, THEIRS, OURS, THEIRS, OURS].entries()) {
      const [first = ""] = await succeed(program, "ADD", config, { containerId: `c${index}` });
      given.push(first);
    }
    expect(given).toEqual([2, 3, 4, 5, 6, 7].map((n) => `10.0.0.${n}/24`));
  });

  test("H50: the files are the same, byte for byte", async () => {
    const all = await Promise.all(
      [OURS, THEIRS].map(async (program) => {
        using leases = new LeaseDirectory();
        const config = network(leases);
        await succeed(program, "ADD", config, { containerId: "a" });
        await succeed(program, "ADD", config, { containerId: "a", ifname: "eth1", args: "IP=10.0.0.200" });
        await succeed(program, "DEL", config, { containerId: "a" });
        return leases.all();
      }),
    );
    expect(Object.keys(all[0] ?? {}).length).toBeGreaterThan(4);
    expect(all[0]).toEqual(all[1]);
  });

  test("H53: each sees and releases the other's", async () => {
    using leases = new LeaseDirectory();
    const config = network(leases);
    for (const [one, other] of [
      [OURS, THEIRS],
      [THEIRS, OURS],
    ] as const) {
      await succeed(one, "ADD", config, { containerId: "a" });
      await succeed(other, "CHECK", config, { containerId: "a" });
      expect((await fail(other, "ADD", config, { containerId: "a" })).msg).toContain(
        "duplicate allocation is not allowed",
      );
      await succeed(other, "DEL", config, { containerId: "a" });
      await fail(one, "CHECK", config, { containerId: "a" });
      expect(leases.leases()).toEqual({});
    }
  });

  test("H48: both say the same of a full range", async () => {
    using leases = new LeaseDirectory();
    const config = network(leases, { ranges: [[{ subnet: "10.0.0.0/29" }]] });
    for (let n = 0; n < 5; n++)
      await succeed(n % 2 === 0 ? OURS : THEIRS, "ADD", config, { containerId: `c${n}` });
    for (const program of [OURS, THEIRS]) {
      expect((await fail(program, "ADD", config, { containerId: "x" })).msg).toContain(
        "failed to allocate for range 0: no IP addresses available in range set: 10.0.0.1-10.0.0.6",
      );
    }
  });

  test("H52: both at once under load: no address twice, none lost, none leaked", async () => {
    using leases = new LeaseDirectory();
    const config = network(leases, { ranges: [[{ subnet: "10.0.0.0/25" }], [{ subnet: "fd00::/64" }]] });
    const program = () => (Math.random() < 0.5 ? OURS : THEIRS);
    const standing = new Map<string, string[]>();
    const jobs = Array.from({ length: 80 }, (_, n) => `c${n}`);
    await inParallel(jobs, 10, async (containerId) => {
      const given = await succeed(program(), "ADD", config, { containerId });
      expect(given).toHaveLength(2);
      for (const others of standing.values())
        for (const address of given) expect(others).not.toContain(address);
      standing.set(containerId, given);
      if (Math.random() < 0.3) return;
      await succeed(program(), "CHECK", config, { containerId });
      standing.delete(containerId);
      await succeed(program(), "DEL", config, { containerId });
    });
    const expected = [...standing].flatMap(([id, addresses]) =>
      addresses.map((address) => [address.replace(/\/.*/, ""), `${id}\r\neth0`]),
    );
    expect(leases.leases()).toEqual(Object.fromEntries(expected));
  });
});
