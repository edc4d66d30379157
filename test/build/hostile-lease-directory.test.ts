/** What is unusual in the directory of leases, and still works. What is planted there: planted-files.test.ts. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { SUBNET, surroundedCall } from "../support/surrounded-call.ts";

test("dataDir itself may be a link", async () => {
  using leases = new LeaseDirectory();
  mkdirSync(join(leases.dataDir, "real"));
  const link = join(leases.dataDir, "link");
  symlinkSync("real", link);
  const ipam = { ...SUBNET, dataDir: link };
  expect((await surroundedCall(leases, { ipam })).exitCode).toBe(0);
  expect(readdirSync(join(leases.dataDir, "real/net")).sort()).toEqual([
    "10.1.0.2",
    "last_reserved_ip.0",
    "lock",
  ]);
  expect((await surroundedCall(leases, { ipam, command: "DEL" })).exitCode).toBe(0);
});

describe("ipam.resolvConf may be a link", () => {
  test.each([
    ["to a file", "/etc/hosts"],
    ["to nothing, by way of /dev/null", "/dev/null"],
  ])("%s", async (_, target) => {
    using leases = new LeaseDirectory();
    const resolvConf = join(leases.dataDir, "resolv.conf");
    symlinkSync(target, resolvConf);
    const { exitCode, stdout } = await surroundedCall(leases, { ipam: { ...SUBNET, resolvConf } });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).not.toHaveProperty("dns.nameservers");
  });
});

test("a hint of many megabytes is read to its 64th byte", async () => {
  using leases = new LeaseDirectory();
  leases.write("last_reserved_ip.0", "10.1.0.7".padEnd(100 * 2 ** 20, " "));
  const { exitCode, stdout } = await surroundedCall(leases);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ips: [{ address: "10.1.0.2/24" }] });
});
