/** tuning on a real kernel: what it sets, what it verifies first, and what it gives back. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { eventually } from "../../support/eventually.ts";
import { hostTest } from "../../support/host-test.ts";
import { DATA, FORMER, MAC, prepare, type Shown, tuningTest } from "./tuned.ts";

const ALL = { mac: MAC, promisc: true, mtu: 1400, allmulti: true, txQLen: 500 };
const TUNED: Shown = { mac: MAC, promisc: true, mtu: 1400, allmulti: true, txQLen: 500 };

describe("ADD", () => {
  tuningTest("T1, T9, T16: sets everything, saves what was there, and DEL gives it back", async (host) => {
    const one = await prepare(host);
    await one.add(ALL);
    expect(await one.shown()).toEqual(TUNED);
    expect(one.saved()).toEqual({ ...FORMER });
    expect([statSync(one.file).mode & 0o777, statSync(DATA).mode & 0o777]).toEqual([0o600, 0o700]);
    await one.silent("CHECK", ALL);
    await one.silent("DEL", ALL);
    expect(await one.shown()).toEqual(FORMER);
    expect(existsSync(one.file)).toBe(false);
    await one.silent("DEL", ALL);
  });

  tuningTest.each([
    [{ mac: MAC }, { mac: FORMER.mac }],
    [{ promisc: true }, { promisc: false }],
    [{ mtu: 1400 }, { mtu: 1500 }],
    [{ allmulti: true }, { allmulti: false }],
    [{ txQLen: 0 }, { txQLen: 1000 }],
  ] as [object, Record<string, unknown>][])("T9: %j alone saves %j", async (host, keys, saved) => {
    const one = await prepare(host);
    await one.add(keys);
    expect(await one.shown()).toEqual({ ...FORMER, ...keys });
    expect(readFileSync(one.file, "utf8")).toStartWith(
      `${JSON.stringify(saved, undefined, 1).slice(0, -2)},\n`,
    );
    expect(one.saved()).toEqual(saved);
    await one.silent("CHECK", keys);
    await one.silent("DEL", keys);
    expect(await one.shown()).toEqual(FORMER);
  });

  tuningTest("T10: allmulti false and a queue of 0 act, promisc false does not", async (host) => {
    const one = await prepare(host);
    await one.namespace.run("ip link set eth0 allmulticast on promisc on");
    await one.add({ promisc: false, allmulti: false, txQLen: 0 });
    expect(await one.shown()).toEqual({ ...FORMER, promisc: true, txQLen: 0 });
    expect(one.saved()).toEqual({ allmulti: true, txQLen: 1000 });
    await one.silent("DEL");
    expect(await one.shown()).toEqual({ ...FORMER, promisc: true, allmulti: true });
  });

  tuningTest("T36: the result has what the kernel has, for the container's interface alone", async (host) => {
    const one = await prepare(host);
    const { interfaces } = await one.add({ mac: MAC.toUpperCase().replaceAll(":", "-"), mtu: 1400 });
    expect(interfaces.map(({ mac, mtu }) => [mac, mtu])).toEqual([
      ["02:00:5e:00:00:01", 1500],
      ["02:00:5e:00:00:02", 1500],
      [MAC, 1400],
      ["02:00:5e:00:00:03", 1500],
    ]);
    await one.silent("CHECK", { mac: MAC.toUpperCase() });
    await one.silent("DEL");
    const untouched = await one.add({ promisc: true });
    expect(untouched.interfaces).toEqual(one.previous.interfaces as typeof interfaces);
    await one.silent("DEL");
  });

  tuningTest("T11: results of each version come back in it", async (host) => {
    const one = await prepare(host);
    const old = { cniVersion: "0.1.0", ip4: { ip: "10.1.0.2/24" } };
    const added = await one.call("ADD", { cniVersion: "0.1.0", prevResult: old, mtu: 1400 });
    expect(added.json()).toEqual({ ...old, dns: {} });
    await one.silent("DEL", { cniVersion: "0.1.0" });
    for (const cniVersion of ["0.3.0", "0.3.1", "0.4.0", "1.0.0"]) {
      const prevResult = { ...one.previous, cniVersion };
      const outcome = await one.call("ADD", { cniVersion, prevResult, mac: MAC });
      const { interfaces } = outcome.json<{ interfaces: object[] }>();
      expect(interfaces[2]).toEqual({ name: "eth0", mac: MAC, sandbox: one.namespace.path });
      await one.silent("DEL", { cniVersion });
    }
    expect(await one.shown()).toEqual(FORMER);
  });

  hostTest("T4, T8: without settings the previous result comes back, and nothing is opened", async (host) => {
    const one = await prepare(host);
    const trace = "/run/trace";
    const strace = ["strace", "-f", "-qq", "-e", "trace=socket,setns,openat", "-o", trace];
    const keys = { promisc: false, mtu: 0, sysctl: {} };
    await host.unchangedBy(async () => {
      const outcome = await one.call("ADD", keys, { netns: "/nowhere" }, strace);
      expect(outcome.json()).toEqual(one.previous);
      const calls = readFileSync(trace, "utf8");
      rmSync(trace);
      expect(calls).not.toMatch(/socket\(|setns\(|\/etc\/cni|\/run\/|nowhere/);
    });
    await host.unchangedBy(async () => {
      for (const command of ["CHECK", "DEL"]) await one.silent(command, keys);
    });
    for (const command of ["ADD", "CHECK"]) {
      const { code, msg } = await one.failure(command, { prevResult: null });
      expect([code, msg]).toEqual([7, expect.stringMatching(/^Required prevResult missing: /)]);
    }
  });

  tuningTest("T6, T12: sysctls need no interface, and are of the container", async (host) => {
    const one = await prepare(host, { ifname: "eth0.5" });
    const sysctl = { "net.ipv4.conf.IFNAME.arp_filter": "1", "net/core/somaxconn": "77" };
    const before = await host.run("sysctl -n net.core.somaxconn");
    await one.add({ sysctl });
    const names = ["ipv4/conf/eth0.5/arp_filter", "core/somaxconn"];
    expect(await one.sysctls(...names)).toBe("1 77");
    expect(await host.run("sysctl -n net.core.somaxconn")).toBe(before);
    expect(existsSync(DATA)).toBe(false);
    await one.silent("CHECK", { sysctl });
    await one.silent("DEL", { sysctl });
    expect(await one.sysctls(...names)).toBe("1 77");
    await one.add({ sysctl: { "net.core.somaxconn": "78" } }, { ifname: "eth7" });
    expect(await one.sysctls("core/somaxconn")).toBe("78");
    const { msg } = await one.failure("ADD", { mtu: 1400 }, { ifname: "eth7" });
    expect(msg).toStartWith(`failed to get "eth7": Link not found in ${one.namespace.path}`);
  });

  tuningTest("T30: a write-only sysctl is an action", async (host) => {
    const one = await prepare(host);
    const sysctl = { "net.ipv4.route.flush": "1" };
    await one.add({ sysctl });
    const outcome = await one.call("CHECK", { sysctl });
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stderr).toContain('sysctl "net.ipv4.route.flush" cannot be verified');
  });
});

tuningTest("T39: a link without a largest mtu takes any", async (host) => {
  const one = await prepare(host);
  await one.namespace.run("ip link del eth0 && ip link add eth0 type ifb");
  const [link] = await one.namespace.json<{ max_mtu: number }[]>("ip -d -j link show eth0");
  expect(link?.max_mtu).toBe(0);
  await one.add({ mtu: 70_000 });
  expect((await one.shown()).mtu).toBe(70_000);
  await one.silent("DEL");
});

describe("T30, T39: a failed ADD", () => {
  const sysctl = { "net.ipv4.conf.IFNAME.arp_filter": "1", "net.core.somaxconn": "77" };
  const names = ["ipv4/conf/eth0/arp_filter", "core/somaxconn"];

  tuningTest.each([
    [
      "an mtu that is too large",
      { mac: MAC, mtu: 70000, sysctl },
      /^cannot set mtu 70000 on "eth0" in \S+: the kernel takes 68–65535 \(now 1500\)$/,
    ],
    [
      "an mtu that is too small",
      { mac: MAC, mtu: 60, sysctl },
      /^cannot set mtu 60 on "eth0" in \S+: the kernel takes 68–65535 \(now 1500\)$/,
    ],
    [
      "a sysctl that does not exist",
      { mac: MAC, sysctl: { ...sysctl, "net.core.nonsense": "1" } },
      /^cannot set sysctl "net\.core\.nonsense" to "1" in \S+: there is no \/proc\/sys\/net\/core\/nonsense; /,
    ],
    [
      "a sysctl that is read-only",
      { mac: MAC, sysctl: { ...sysctl, "net.netfilter.nf_conntrack_count": "1" } },
      /^cannot set sysctl "net\.netfilter\.nf_conntrack_count" to "1" in /,
    ],
    [
      "a directory",
      { mac: MAC, sysctl: { ...sysctl, "net.core": "1" } },
      /^cannot set sysctl "net\.core" to "1" in .*is a directory/,
    ],
  ] as [string, object, RegExp][])(
    "by %s is found before anything is changed",
    async (host, _what, keys, message) => {
      const one = await prepare(host);
      const before = await one.sysctls(...names);
      const strace = ["strace", "-f", "-qq", "-e", "trace=write,pwrite64,mkdirat", "-o", "/run/trace"];
      const { msg } = await one.failure("ADD", keys, {}, strace);
      expect(msg).toMatch(message);
      expect(readFileSync("/run/trace", "utf8")).not.toMatch(/mkdirat|"(77|1)"/);
      rmSync("/run/trace");
      expect(await one.sysctls(...names)).toBe(before);
      expect([await one.shown(), existsSync(DATA)]).toEqual([FORMER, false]);
    },
  );

  tuningTest("by a value that the kernel refuses is undone in reverse", async (host) => {
    const one = await prepare(host);
    await one.namespace.run("sysctl -q net.core.somaxconn=55");
    const { msg, details } = await one.failure("ADD", {
      sysctl: { ...sysctl, "net.ipv4.conf.all.rp_filter": "nonsense" },
      mac: MAC,
    });
    expect(msg).toMatch(
      /^cannot set sysctl "net\.ipv4\.conf\.all\.rp_filter" to "nonsense" in \S+: .*\(EINVAL\)$/,
    );
    // Nothing is left, so there is only the hint of O18.
    expect(details).toMatch(/^BRIDGEHEAD_TRACE=FILE [^;]*$/);
    expect(await one.sysctls(...names)).toBe("0 55");
    expect([await one.shown(), existsSync(DATA)]).toEqual([FORMER, false]);
  });

  tuningTest("by a link whose last setting is refused is undone, with the file", async (host) => {
    const one = await prepare(host);
    const setLinks = "sendto";
    for (let when = 1; when < 40; when++) {
      const strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        `inject=${setLinks}:error=ENOBUFS:when=${when}`,
      ];
      const outcome = await one.call("ADD", { ...ALL, sysctl }, {}, strace);
      if (outcome.exitCode === 0) break;
      expect(outcome.json<{ msg: string }>().msg).toContain("(ENOBUFS)");
      expect([when, await one.shown()]).toEqual([when, FORMER]);
      expect(await one.sysctls(...names)).toBe("0 4096");
      expect(existsSync(one.file)).toBe(false);
      expect(when).toBeLessThan(39);
    }
    expect(await one.shown()).toEqual(TUNED);
    await one.silent("DEL");
  });

  tuningTest("leaves an earlier file as it was", async (host) => {
    const one = await prepare(host);
    await one.add({ mtu: 1400 });
    const before = readFileSync(one.file, "utf8");
    const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat:error=EIO:when=1"];
    expect((await one.failure("ADD", { mtu: 1300, mac: MAC }, {}, strace)).msg).toContain(
      `cannot save the former settings in ${one.file}`,
    );
    expect(readFileSync(one.file, "utf8")).toBe(before);
    expect(await one.shown()).toEqual({ ...FORMER, mtu: 1400 });
    await one.silent("DEL");
    expect(await one.shown()).toEqual(FORMER);
  });
});

describe("T32, T34: whose settings are saved", () => {
  tuningTest("T32: a repeated ADD keeps what the first one has saved, and adds to it", async (host) => {
    const one = await prepare(host);
    await one.add({ mac: MAC });
    await one.add({ mac: "02:00:5e:10:00:0b", mtu: 1400 });
    expect(one.saved()).toEqual({ mac: FORMER.mac, mtu: 1500 });
    await one.silent("DEL");
    expect(await one.shown()).toEqual(FORMER);
  });

  tuningTest("T32: an interface that was made again has settings of its own", async (host) => {
    const one = await prepare(host);
    await one.add({ mac: MAC });
    await one.namespace.run(
      "ip link del eth0; ip link add eth0 address 02:00:5e:10:00:77 type veth peer name peer0",
    );
    await one.add({ mac: MAC });
    expect(one.saved()).toEqual({ mac: "02:00:5e:10:00:77" });
    await one.silent("DEL");
    expect((await one.shown()).mac).toBe("02:00:5e:10:00:77");
  });

  tuningTest("T34: another namespace under the same path is not touched", async (host) => {
    const one = await prepare(host);
    await one.add(ALL);
    await host.run("ip netns del c1");
    const other = await prepare(host);
    await other.namespace.run("ip link set eth0 mtu 1300");
    const outcome = await other.call("DEL", ALL);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stderr).toContain("is not the namespace that the settings");
    expect(await other.shown()).toEqual({ ...FORMER, mtu: 1300 });
    expect(existsSync(one.file)).toBe(false);
  });

  tuningTest(
    "T34: another interface of the same name is not touched, and the same one is found renamed",
    async (host) => {
      const one = await prepare(host);
      await one.add({ mtu: 1400 });
      await one.namespace.run(`ip link set eth0 down && ip link set eth0 name moved
      ip link add eth0 mtu 1300 type bridge`);
      await one.silent("DEL");
      expect((await one.shown()).mtu).toBe(1300);
      const [moved] = await one.namespace.json<{ mtu: number }[]>("ip -j link show moved");
      expect(moved?.mtu).toBe(1500);
    },
  );

  tuningTest("T34: the host's own namespace is refused first (A8)", async (host) => {
    const one = await prepare(host);
    await one.add({ mtu: 1400 });
    expect((await one.failure("DEL", {}, { netns: "/proc/self/ns/net" })).code).toBe(8);
    await one.silent("DEL");
  });

  tuningTest("K3: attachments whose names are the same when joined have files of their own", async (host) => {
    const one = await prepare(host, { name: "c1", containerId: "a_b", ifname: "eth0" });
    const other = await prepare(host, { name: "c2", containerId: "a", ifname: "b_eth0" });
    expect(other.file).toBe(one.file);
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      await one.add({ mtu: 1400 });
      await other.add({ mtu: 1300, mac: MAC });
      await first.silent("DEL");
      expect([await first.shown(), (await second.shown()).mtu]).toEqual([
        FORMER,
        second === one ? 1400 : 1300,
      ]);
      await second.silent("DEL");
      expect(await second.shown()).toEqual(FORMER);
    }
    expect(await host.run(`find ${DATA} -type f`)).toBe("");
  });

  tuningTest("K2: a container id of any length", async (host) => {
    for (const length of [240, 255, 5000, 131_055]) {
      const name = `c${length}`;
      const one = await prepare(host, { name, containerId: "x".repeat(length) });
      await one.add({ mtu: 1400 });
      await one.silent("DEL");
      expect(await one.shown()).toEqual(FORMER);
    }
    expect(await host.run(`find ${DATA} -type f`)).toBe("");
  });
});

describe("DEL", () => {
  tuningTest.each([
    ["an empty namespace", ""],
    ["a namespace that is gone", "/run/netns/gone"],
    ["a plain file", "/proc/version"],
  ])("T33: removes the file with %s", async (host, _what, netns) => {
    const one = await prepare(host);
    await one.add({ mtu: 1400 });
    await one.silent("DEL", {}, { netns });
    expect(existsSync(one.file)).toBe(false);
  });

  tuningTest("T16, T33: removes a broken file, and succeeds without an interface", async (host) => {
    const one = await prepare(host);
    mkdirSync(DATA, { recursive: true, mode: 0o700 });
    for (const text of ["", "{", "[]", '{"mtu": "1400"}', '{"bridgehead": 7}', "\xff"]) {
      writeFileSync(one.file, text, "latin1");
      await one.silent("DEL");
      expect(existsSync(one.file)).toBe(false);
    }
    await one.add({ mtu: 1400 });
    await one.namespace.run("ip link del eth0");
    await one.silent("DEL");
    expect(existsSync(one.file)).toBe(false);
  });

  tuningTest("T16: finds the file when the network has another name by now", async (host) => {
    for (const containerId of ["c1", "x".repeat(300)]) {
      const one = await prepare(host, { name: `n${containerId.length}`, containerId });
      await one.add({ mtu: 1400 });
      await one.silent("DEL", { name: "renamed" });
      expect(await one.shown()).toEqual(FORMER);
    }
    expect(await host.run(`find ${DATA} -type f`)).toBe("");
  });

  tuningTest("A31: needs neither valid keys nor known CNI_ARGS", async (host) => {
    const one = await prepare(host);
    await one.add({ mtu: 1400 });
    await one.silent("DEL", { mtu: "junk", mac: 7, prevResult: null, sysctl: 5 }, { args: "COLOUR=red" });
    expect(await one.shown()).toEqual(FORMER);
  });

  tuningTest("T16: values that the kernel refuses are reported, and the others restored", async (host) => {
    const one = await prepare(host);
    mkdirSync(DATA, { recursive: true, mode: 0o700 });
    await one.namespace.run("ip link set eth0 mtu 1400 txqueuelen 7");
    writeFileSync(one.file, JSON.stringify({ mac: "nonsense", mtu: 70000, txQLen: 1000 }));
    const outcome = await one.call("DEL");
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stderr).toMatch(/cannot set mtu 70000 on "eth0".*\n.*cannot set mac nonsense/);
    expect(await one.shown()).toEqual({ ...FORMER, mtu: 1400 });
    expect(existsSync(one.file)).toBe(false);
  });

  tuningTest("T33: what a killed ADD has left of a file goes", async (host) => {
    const one = await prepare(host);
    mkdirSync(DATA, { recursive: true, mode: 0o700 });
    writeFileSync(`${one.file}.new`, "half");
    await one.silent("DEL");
    expect(existsSync(`${one.file}.new`)).toBe(false);
  });

  tuningTest("K4: a foreign object in the place of the file is neither read nor replaced", async (host) => {
    const one = await prepare(host);
    mkdirSync(DATA, { recursive: true, mode: 0o700 });
    writeFileSync("/run/other.json", '{"mtu": 1300}');
    symlinkSync("/run/other.json", one.file);
    const { code, msg } = await one.failure("ADD", { mtu: 1400 });
    expect([code, msg]).toEqual([
      5,
      `cannot save the former settings: "${one.file}" is a symbolic link, not a regular file: remove it`,
    ]);
    const outcome = await one.call("DEL");
    expect([outcome.exitCode, outcome.stderr]).toEqual([0, expect.stringContaining("is a symbolic link")]);
    expect(await one.shown()).toEqual(FORMER);
    rmSync(one.file);
    rmSync("/run/other.json");
  });

  tuningTest("T9: a directory of the configuration, which keeps its mode", async (host) => {
    const one = await prepare(host);
    mkdirSync("/run/own", { mode: 0o755 });
    for (const dataDir of ["/run/own", "/run/own/deep/er"]) {
      await one.add({ mtu: 1400, dataDir });
      expect(one.saved(`${dataDir}/c1_eth0.json`)).toEqual({ mtu: 1500 });
      await one.silent("DEL", { dataDir });
      expect(await one.shown()).toEqual(FORMER);
    }
    expect(
      ["/run/own", "/run/own/deep", "/run/own/deep/er"].map((path) => statSync(path).mode & 0o777),
    ).toEqual([0o755, 0o755, 0o700]);
    rmSync("/run/own", { recursive: true });
  });
});

describe("T15, T35: CHECK", () => {
  tuningTest("names each loss, in one error", async (host) => {
    const one = await prepare(host);
    const sysctl = { "net.ipv4.conf.IFNAME.arp_filter": "1", "net.ipv4.ip_local_port_range": "2000 3000" };
    const keys = { ...ALL, sysctl };
    await one.add(keys);
    await one.silent("CHECK", keys);
    await one.namespace.run(`ip link set eth0 address ${FORMER.mac} mtu 1300 promisc off allmulticast off txqueuelen 7
      sysctl -q net.ipv4.conf.eth0.arp_filter=0`);
    expect((await one.failure("CHECK", keys)).msg.split("; ")).toEqual([
      "Tuning configured value of /proc/sys/net/ipv4/conf/eth0/arp_filter is 1, current value is 0",
      `Tuning configured Ethernet of eth0 is ${MAC}, current value is ${FORMER.mac}`,
      "Tuning link eth0 configured promisc is true, current value is false",
      "Tuning configured MTU of eth0 is 1400, current value is 1300",
      "Tuning configured all-multicast mode of eth0 is true, current value is false",
      "Tuning configured Transmit Queue Length of eth0 is 500, current value is 7",
    ]);
    await one.namespace.run("ip link del eth0");
    expect((await one.failure("CHECK", keys)).msg).toMatch(
      /^Tuning configured value of \S+ is 1, but it does not exist; Cannot find container link eth0 in /,
    );
    await one.silent("DEL");
  });

  tuningTest("T35: accepts a promiscuous mode that another program has set", async (host) => {
    const one = await prepare(host);
    await one.add({ mtu: 1400 });
    await one.namespace.run("ip link set eth0 promisc on");
    await one.silent("CHECK", { mtu: 1400 });
    await one.silent("DEL");
  });

  tuningTest(
    "T35: accepts the promiscuous mode that a bridge needs for the one that is configured",
    async (host) => {
      const one = await prepare(host);
      await one.add({ promisc: true });
      await one.namespace.run(`ip link add inner type bridge && ip link set inner up
      ip link set eth0 master inner promisc off`);
      expect((await one.shown()).promisc).toBe(false);
      await one.silent("CHECK", { promisc: true });
      await one.silent("DEL");
    },
  );

  tuningTest("T37: names a conflict with the MAC address that bridge sets", async (host) => {
    const one = await prepare(host);
    const keys = { args: { cni: { mac: MAC } }, runtimeConfig: { mac: "02:00:5e:10:00:0b" } };
    await one.add(keys);
    expect((await one.shown()).mac).toBe(MAC);
    const conflict = `args.cni.mac asks for ${MAC}, and runtimeConfig.mac for 02:00:5e:10:00:0b, which bridge sets first`;
    const outcome = await one.call("CHECK", keys);
    expect([outcome.exitCode, outcome.stderr]).toEqual([0, expect.stringContaining(conflict)]);
    await one.namespace.run("ip link set eth0 address 02:00:5e:10:00:0b");
    expect((await one.failure("CHECK", keys)).msg).toContain(
      `current value is 02:00:5e:10:00:0b: ${conflict}`,
    );
    await one.silent("DEL");
  });
});

describe("T33: GC", () => {
  const listing = (...ids: string[]) => ({
    "cni.dev/valid-attachments": ids.map((containerID) => ({ containerID, ifname: "eth0" })),
  });

  tuningTest("removes what is not listed, of its own network", async (host) => {
    const [one, two, three] = [
      await prepare(host, { name: "c1" }),
      await prepare(host, { name: "c2" }),
      await prepare(host, { name: "c3" }),
    ];
    await one.add({ mtu: 1400 });
    await two.add({ mtu: 1400 });
    await three.add({ mtu: 1400, name: "another" });
    writeFileSync(`${DATA}/foreign_eth0.json`, '{\n "mtu": 1500\n}');
    writeFileSync(`${DATA}/notes.txt`, "");
    expect((await one.failure("GC")).code).toBe(7);
    const outcome = await one.call("GC", listing("c1"));
    expect([outcome.exitCode, outcome.stderr]).toEqual([
      0,
      expect.stringContaining("removed /run/cni/tuning/c2_eth0.json"),
    ]);
    const left = [one.file, two.file, three.file, `${DATA}/foreign_eth0.json`, `${DATA}/notes.txt`];
    expect(left.map((file) => existsSync(file))).toEqual([true, false, true, true, true]);
    expect((await two.shown()).mtu).toBe(1400);
    await one.silent("DEL");
    await three.silent("DEL", { name: "another" });
    for (const name of ["foreign_eth0.json", "notes.txt"]) rmSync(`${DATA}/${name}`);
  });

  tuningTest("K28: with an empty list, settings of namespaces that live stay", async (host) => {
    const [one, two] = [await prepare(host, { name: "c1" }), await prepare(host, { name: "c2" })];
    await one.add({ mtu: 1400 });
    await two.add({ mtu: 1400 });
    await host.run("ip netns del c2");
    // The kernel ends a namespace in its own time.
    await eventually("the settings of c2 are removed", async () => {
      expect((await one.call("GC", listing())).stderr).toContain(
        "c1_eth0.json is kept: its network namespace lives",
      );
      return !existsSync(two.file);
    });
    expect(existsSync(one.file)).toBe(true);
    await one.silent("DEL");
  });

  hostTest("without a directory succeeds, and makes none", async (host) => {
    const one = await prepare(host);
    await host.unchangedBy(() => one.silent("GC", listing()));
  });
});
