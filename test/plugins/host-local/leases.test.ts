import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CniError } from "../../../src/cni/error.ts";
import { formatIp } from "../../../src/net/ip.ts";
import { addressesOf, hostLocalOn, networkOf } from "../../support/host-local-call.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";

const { add, check, del } = hostLocalOn();

/** The CniError that a call ends with. */
async function failure(call: Promise<unknown>): Promise<CniError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CniError) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

const V4 = { ranges: [[{ subnet: "10.0.0.0/29" }]] };
const DUAL = { ranges: [[{ subnet: "10.0.0.0/29" }], [{ subnet: "fd00::/64" }]] };

describe("ADD", () => {
  test("H41, A25: one address of each set, with gateways, routes and DNS", async () => {
    using leases = new LeaseDirectory();
    const resolvConf = join(leases.dataDir, "resolv.conf");
    writeFileSync(resolvConf, "nameserver 192.0.2.1\n");
    const routes = [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }];
    const result = await add({ config: leases.network({ ...DUAL, routes, resolvConf }) });
    expect(addressesOf(result)).toEqual(["10.0.0.2/29", "fd00::2/64"]);
    expect(result.ips.map(({ gateway }) => gateway && formatIp(gateway))).toEqual(["10.0.0.1", "fd00::1"]);
    expect(result.ips.every((ip) => ip.interface === undefined)).toBe(true);
    expect(result.interfaces).toEqual([]);
    expect(result.routes).toHaveLength(1);
    expect(result.dns).toEqual({ nameservers: ["192.0.2.1"] });
  });

  test("a path where no directory can be created gives one clear error", async () => {
    const { code, message } = await failure(add({ config: networkOf("/proc/nothing", V4) }));
    expect(code).toBe(5);
    expect(message).toMatch(/"\/proc\/nothing".*ENOENT/);
  });

  test("H50, H51: exactly the reference's files, and nothing else in the directory", async () => {
    using leases = new LeaseDirectory();
    const umask = process.umask(0o022);
    try {
      await add({ config: leases.network(DUAL), containerId: "some-id_1.x", ifname: "eth12" });
    } finally {
      process.umask(umask);
    }
    expect(leases.all()).toEqual({
      "10.0.0.2": "some-id_1.x\r\neth12",
      "fd00::2": "some-id_1.x\r\neth12",
      "last_reserved_ip.0": "10.0.0.2",
      "last_reserved_ip.1": "fd00::2",
      lock: "",
    });
    expect(statSync(leases.path).mode & 0o7777).toBe(0o755);
    expect(statSync(join(leases.path, "10.0.0.2")).mode & 0o7777).toBe(0o600);
    expect(readdirSync(leases.dataDir).sort()).toEqual([".bridgehead", "net"]);
  });

  test("H48: goes round robin, past free addresses before the last one", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    const got: string[] = [];
    for (const containerId of ["a", "b", "c"]) got.push(...addressesOf(await add({ config, containerId })));
    await del({ config, containerId: "a" });
    for (const containerId of ["d", "e", "f"]) got.push(...addressesOf(await add({ config, containerId })));
    expect(got).toEqual([
      "10.0.0.2/29",
      "10.0.0.3/29",
      "10.0.0.4/29",
      "10.0.0.5/29",
      "10.0.0.6/29",
      "10.0.0.2/29",
    ]);
  });

  test("H48: a full set is an error and leaves no lease", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/30" }]] });
    await add({ config, containerId: "a" });
    const before = leases.all();
    const { code, message } = await failure(add({ config, containerId: "b" }));
    expect(code).toBe(999);
    expect(message).toContain(
      "failed to allocate for range 0: no IP addresses available in range set: 10.0.0.1-10.0.0.2",
    );
    expect(message).toContain(leases.path);
    expect(leases.all()).toEqual(before);
  });

  test("H49, L8: a failure in a later set releases what this ADD took", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/29" }], [{ subnet: "10.1.0.0/30" }]] });
    await add({ config, containerId: "a" });
    const before = leases.leases();
    expect((await failure(add({ config, containerId: "b" }))).message).toContain(
      "failed to allocate for range 1: no IP",
    );
    expect(leases.leases()).toEqual(before);
  });

  test("H47: refuses the same attachment, naming attachment and file, but not another interface", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    await add({ config });
    const { code, message } = await failure(add({ config }));
    expect(code).toBe(999);
    expect(message).toContain("10.0.0.2 has been allocated to c1, duplicate allocation is not allowed");
    expect(message).toContain(`${leases.path}/10.0.0.2 is the lease of container c1, interface eth0`);
    expect(addressesOf(await add({ config, ifname: "eth1" }))).toEqual(["10.0.0.3/29"]);
  });

  test("H47: a lease outside the set is not a duplicate", async () => {
    using leases = new LeaseDirectory();
    leases.write("10.9.0.2", "c1\r\neth0");
    expect(addressesOf(await add({ config: leases.network(V4) }))).toEqual(["10.0.0.2/29"]);
  });

  test("H47, H53: a lease in the old format is a duplicate", async () => {
    using leases = new LeaseDirectory();
    leases.write("10.0.0.5", "c1");
    expect((await failure(add({ config: leases.network(V4) }))).message).toContain(
      "10.0.0.5 has been allocated to c1",
    );
  });

  test("L11: network and broadcast addresses within the bounds are not given out", async () => {
    using leases = new LeaseDirectory();
    const bounds = { rangeStart: "10.0.0.0", rangeEnd: "10.0.0.3" };
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/30", ...bounds }]] });
    expect(addressesOf(await add({ config, containerId: "a" }))).toEqual(["10.0.0.2/30"]);
    expect((await failure(add({ config, containerId: "b" }))).message).toContain("no IP addresses available");
    for (const [address, use] of [
      ["10.0.0.0", "network"],
      ["10.0.0.3", "broadcast"],
    ]) {
      const message = (await failure(add({ config, containerId: "c", args: `IP=${address}` }))).message;
      expect(message).toContain(`requested ip ${address} is subnet's ${use} address`);
    }
  });

  test("a /64 and larger ranges are not walked through", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "fd00::/8", rangeStart: "fd12::5" }]] });
    expect(addressesOf(await add({ config }))).toEqual(["fd12::5/8"]);
  });
});

describe("requested addresses", () => {
  test("H45, H51: each set gives the requested address inside it and records it as the hint", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(DUAL, { args: { cni: { ips: ["fd00::77/64", "10.0.0.4"] } } });
    expect(addressesOf(await add({ config }))).toEqual(["10.0.0.4/29", "fd00::77/64"]);
    expect(leases.all()).toMatchObject({
      "last_reserved_ip.0": "10.0.0.4",
      "last_reserved_ip.1": "fd00::77",
    });
    expect(addressesOf(await add({ config: leases.network(DUAL), containerId: "b" }))).toEqual([
      "10.0.0.5/29",
      "fd00::78/64",
    ]);
  });

  test("H45: an address outside all sets is an error before any change", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    for (const args of ["IP=10.0.1.1", "IP=fd00::1"]) {
      const { message } = await failure(add({ config, args }));
      expect(message).toContain(`failed to allocate all requested IPs: ${args.slice(3)}`);
    }
    const two = leases.network(V4, { runtimeConfig: { ips: ["10.0.0.3", "10.0.0.4"] } });
    expect((await failure(add({ config: two }))).message).toContain(
      "failed to allocate all requested IPs: 10.0.0.4",
    );
    expect(leases.all()).toEqual({});
  });

  test("H46: refuses the gateway", async () => {
    using leases = new LeaseDirectory();
    const { message } = await failure(add({ config: leases.network(V4), args: "IP=10.0.0.1" }));
    expect(message).toContain("failed to allocate for range 0: requested ip 10.0.0.1 is subnet's gateway");
  });

  test("H46: the error for a taken address names its attachment", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    await add({ config, containerId: "first", args: "IP=10.0.0.4" });
    const { message } = await failure(add({ config, args: "IP=10.0.0.4" }));
    expect(message).toContain(
      "requested IP address 10.0.0.4 is not available in range set 10.0.0.1-10.0.0.6",
    );
    expect(message).toContain("container first, interface eth0");
    expect(message).toContain(`${leases.path}/10.0.0.4`);
  });

  test("H46, H47: the attachment's own address, and a second one, are duplicates", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    await add({ config, args: "IP=10.0.0.4" });
    for (const address of ["10.0.0.4", "10.0.0.5"]) {
      const { message } = await failure(add({ config, args: `IP=${address}` }));
      expect(message).toContain(`requested IP address ${address} is not available in range set`);
      expect(message).toContain("10.0.0.4 has been allocated to c1, duplicate allocation is not allowed");
    }
  });
});

describe("CHECK", () => {
  test("H54, A34: passes after ADD, fails without a lease", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(V4);
    const missing = "host-local: Failed to find address added by container c1";
    expect((await failure(check({ config }))).message).toContain(missing);
    expect(leases.all()).toEqual({});
    await add({ config });
    await check({ config });
    expect((await failure(check({ config, ifname: "eth1" }))).message).toContain(missing);
    leases.remove("10.0.0.2");
    expect((await failure(check({ config }))).message).toContain(missing);
  });

  test("K25: names each address of the result within the ranges that is not leased to the attachment", async () => {
    using leases = new LeaseDirectory();
    const result = {
      interfaces: [{ name: "br0" }, { name: "eth0", sandbox: "/ns" }, { name: "net1", sandbox: "/ns" }],
      ips: [
        { interface: 1, address: "10.0.0.2/24" },
        { interface: 1, address: "fd00::2/64" },
        // Of other plugins: of another interface, or of no range.
        { interface: 2, address: "10.0.0.9/24" },
        { interface: 1, address: "192.0.2.7/24" },
      ],
    };
    const config = { ...leases.network(DUAL), prevResult: result };
    await add({ config: leases.network(DUAL) });
    await check({ config });
    leases.write("10.0.0.2", "other\r\neth0");
    const { message } = await failure(check({ config }));
    expect(message).toContain("no lease of its interface eth0 for 10.0.0.2 is in");
    leases.remove("fd00::2");
    expect((await failure(check({ config }))).message).toContain("no lease of its interface eth0 is in");
  });

  test("H53, H54: a lease in the old format counts for each interface", async () => {
    using leases = new LeaseDirectory();
    leases.write("10.0.0.5", "c1\n");
    await check({ config: leases.network(V4), ifname: "eth7" });
  });
});

describe("DEL", () => {
  test("A29, H53: releases the leases of all sets, repeatedly, and no others", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network(DUAL);
    await add({ config, containerId: "a" });
    await add({ config, containerId: "b" });
    await del({ config, containerId: "a" });
    await del({ config, containerId: "a" });
    expect(Object.keys(leases.leases())).toEqual(["10.0.0.3", "fd00::3"]);
  });

  test("A29: without a directory does nothing and creates nothing", async () => {
    using leases = new LeaseDirectory();
    await del({ config: leases.network(V4) });
    expect(readdirSync(leases.dataDir)).toEqual([]);
  });

  test("L9: releases a lease after the ranges have changed", async () => {
    using leases = new LeaseDirectory();
    await add({ config: leases.network(DUAL) });
    await del({ config: networkOf(leases.dataDir, { ranges: [[{ subnet: "nonsense" }]] }) });
    expect(leases.leases()).toEqual({});
  });

  test("L9: releases an address that is no longer in a range", async () => {
    using leases = new LeaseDirectory();
    await add({ config: leases.network(V4) });
    await del({ config: leases.network({ ranges: [[{ subnet: "10.5.0.0/24" }]] }) });
    expect(leases.leases()).toEqual({});
  });

  test("H53: content is compared trimmed, and the old format only as a fallback", async () => {
    using leases = new LeaseDirectory();
    leases.write("10.0.0.2", " c1\r\neth0\n");
    leases.write("10.0.0.3", "c1");
    const config = leases.network(V4);
    await del({ config });
    expect(Object.keys(leases.leases())).toEqual(["10.0.0.3"]);
    await del({ config });
    expect(leases.leases()).toEqual({});
  });
});

describe("foreign files among the leases", () => {
  test("L2: an empty file is not a lease, so its address is given out in its turn", async () => {
    using leases = new LeaseDirectory();
    leases.write("10.0.0.2", "");
    expect(addressesOf(await add({ config: leases.network(V4) }))).toEqual(["10.0.0.2/29"]);
    expect(leases.leases()).toEqual({ "10.0.0.2": "c1\r\neth0" });
  });

  test("L2: empty files that appear unseen by the index do not reserve addresses", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/29" }]] });
    await add({ config, containerId: "a" });
    for (const name of ["10.0.0.3", "10.0.0.6"]) leases.write(name, "");
    const got: string[] = [];
    for (const containerId of ["b", "c", "d", "e"])
      got.push(...addressesOf(await add({ config, containerId })));
    expect(got).toEqual(["10.0.0.3/29", "10.0.0.4/29", "10.0.0.5/29", "10.0.0.6/29"]);
  });

  test("files, directories, links and fifos are kept, and reserve their addresses", async () => {
    using leases = new LeaseDirectory();
    leases.write("README", "c1\r\neth0");
    leases.write("10.0.0.2.bak", "c1\r\neth0");
    mkdirSync(join(leases.path, "10.0.0.2"));
    symlinkSync("/nowhere", join(leases.path, "10.0.0.3"));
    Bun.spawnSync(["mkfifo", join(leases.path, "10.0.0.4")]);
    const config = leases.network(V4);
    expect(addressesOf(await add({ config }))).toEqual(["10.0.0.5/29"]);
    await check({ config });
    await del({ config });
    expect(leases.leases()).toEqual({
      README: "c1\r\neth0",
      "10.0.0.2.bak": "c1\r\neth0",
      "10.0.0.2": "(directory)",
      "10.0.0.3": "(other)",
      "10.0.0.4": "(other)",
    });
  });

  test("an address in a form that is not canonical is reserved and released", async () => {
    using leases = new LeaseDirectory();
    leases.write("FD00:0::2", "other\r\neth0");
    const config = leases.network({ ranges: [[{ subnet: "fd00::/64" }]] });
    expect(addressesOf(await add({ config, containerId: "a" }))).toEqual(["fd00::3/64"]);
    await check({ config, containerId: "other" });
    await del({ config, containerId: "other" });
    expect(leases.leases()).toEqual({ "fd00::3": "a\r\neth0" });
  });

  test("an address with two file names is free when both are removed", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "fd00::/64", rangeEnd: "fd00::3" }]] });
    await add({ config, containerId: "a" });
    leases.write("FD00::2", "b\r\neth0");
    await add({ config, containerId: "x" });
    await del({ config, containerId: "a" });
    expect((await failure(add({ config, containerId: "c" }))).message).toContain("no IP addresses available");
    await del({ config, containerId: "b" });
    expect(addressesOf(await add({ config, containerId: "c" }))).toEqual(["fd00::2/64"]);
  });

  test("H51, L3: ignores a hint that is invalid, a directory or outside the set", async () => {
    for (const spoil of [
      (leases: LeaseDirectory) => leases.write("last_reserved_ip.0", "nonsense"),
      (leases: LeaseDirectory) => leases.write("last_reserved_ip.0", "10.0.0.6\n"),
      (leases: LeaseDirectory) => leases.write("last_reserved_ip.0", "10.9.9.9"),
      (leases: LeaseDirectory) => mkdirSync(join(leases.path, "last_reserved_ip.0"), { recursive: true }),
    ]) {
      using leases = new LeaseDirectory();
      spoil(leases);
      const lines: string[] = [];
      expect(addressesOf(await add({ config: leases.network(V4), lines }))).toEqual(["10.0.0.2/29"]);
    }
  });

  test("H51: a shorter hint replaces a longer one completely", async () => {
    using leases = new LeaseDirectory();
    const config = leases.network({ ranges: [[{ subnet: "10.0.0.0/24" }]] });
    await add({ config, containerId: "a", args: "IP=10.0.0.254" });
    await add({ config, containerId: "b" });
    expect(readFileSync(join(leases.path, "last_reserved_ip.0"), "utf8")).toBe("10.0.0.2");
  });
});

describe("a directory that can't be used gives one clear error", () => {
  const CASES: readonly [name: string, spoil: (leases: LeaseDirectory) => string][] = [
    [
      "a file in its place",
      ({ dataDir, path }) => {
        writeFileSync(path, "");
        return dataDir;
      },
    ],
    [
      "a file above it",
      ({ dataDir }) => {
        writeFileSync(join(dataDir, "file"), "");
        return join(dataDir, "file");
      },
    ],
    [
      "a directory for a lock",
      ({ dataDir, path }) => {
        mkdirSync(join(path, "lock"), { recursive: true });
        return dataDir;
      },
    ],
    [
      "a dangling link in its place",
      ({ dataDir, path }) => {
        symlinkSync("/nowhere/at/all", path);
        return dataDir;
      },
    ],
  ];
  test.each(CASES)("%s", async (_, spoil) => {
    using leases = new LeaseDirectory();
    const dataDir = spoil(leases);
    const before = readdirSync(leases.dataDir, { recursive: true });
    const { code, message } = await failure(add({ config: networkOf(dataDir, V4) }));
    expect({ code, message }).toEqual({ code: 5, message: expect.stringContaining(dataDir) });
    expect(readdirSync(leases.dataDir, { recursive: true })).toEqual(before);
  });
});
