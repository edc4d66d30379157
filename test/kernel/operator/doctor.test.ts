/** O13: doctor finds nothing on a healthy host, names what is wrong on another one, and changes neither. */
import { expect } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingFeatures } from "../../../src/operator/doctor/bridge-checks.ts";
import { passedOver } from "../../../src/operator/doctor/network-checks.ts";
import { run } from "../../../src/operator/doctor.ts";
import type { Network } from "../../../src/operator/networks.ts";
import { sourcesAt, validate } from "../../../src/operator/validate/validate.ts";
import type { Document } from "../../../src/schema/keys.ts";
import { recordingTerminal } from "../../operator/recording.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { builtBinaries, callPlugin } from "../../support/plugin-call.ts";
import { referencePlugin, whyNoReference } from "../../support/reference-plugin.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import {
  type AddResult,
  type Attachment,
  attach,
  BRIDGE,
  hostLocal,
  LEASES,
  NETWORK,
  networkTest,
  prepare,
  STAYS,
  V4,
} from "../bridge/network.ts";
import { Firewalld } from "../firewall/firewalld.ts";
import { whyNoLegacy } from "../netfilter/programs.ts";
import { keep, keptFile } from "./libcni-cache.ts";

/** A network of this host, whose files are in a folder of their own. */
class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), "doctor-"));
  pluginPath = builtBinaries();
  private readonly host: ScratchHost;
  readonly keys: Record<string, unknown>;

  constructor(host: ScratchHost, keys: object = {}) {
    this.host = host;
    this.keys = { bridge: BRIDGE, isGateway: true, ipMasq: true, ipam: hostLocal(V4), ...keys };
    mkdirSync(join(this.folder, "results"));
    this.write("10-net.conflist", JSON.stringify(this.list));
  }

  get list() {
    const { cniVersion = "1.1.0", ...keys } = this.keys;
    return { cniVersion, name: NETWORK, plugins: [{ type: "bridge", ...keys }, { type: "firewall" }] };
  }

  write(name: string, text: string, mode = 0o644): void {
    writeFileSync(join(this.folder, name), text);
    chmodSync(join(this.folder, name), mode);
  }

  /** A program in front of the built one of that name. */
  putBefore(name: string, script: string): void {
    this.write(name, `#!/bin/sh\n${script}\n`, 0o755);
    this.pluginPath = `${this.folder}:${builtBinaries()}`;
  }

  /** A container on the network, in the cache as libcni writes it. */
  async attach(name: string): Promise<Attachment> {
    const one = await attach(this.host, name, this.keys);
    this.cache(one);
    return one;
  }

  cache(one: Attachment, replaced: object = {}): void {
    const { containerId, namespace, result } = one;
    // The rules of firewall are not part of this scene.
    const config = { ...this.list, plugins: this.list.plugins.slice(0, 1) };
    const kept = { containerId, netns: namespace.path, config, result, ...replaced };
    keep(this.folder, kept, keptFile(this.folder, containerId));
  }

  /** What doctor says, and its exit code. */
  async doctor(words: string[] = [], options: Record<string, unknown> = { json: true }) {
    const { said, program, terminal } = recordingTerminal();
    const exitCode = await run({
      arguments: words,
      options: { configDir: this.folder, cacheDir: this.folder, ...options },
      program,
      terminal: { ...terminal, environment: { CNI_PATH: this.pluginPath } },
    });
    return { exitCode, ...said };
  }

  /** The findings, as "BH202 testnet". */
  async findings(words?: string[]): Promise<string[]> {
    const { stdout, stderr } = await this.doctor(words);
    expect(stderr).toBe("");
    const rows: { code?: string; object: string; message: string; remedy?: string }[] =
      JSON.parse(stdout).rows;
    return rows.flatMap(({ code, object, message, remedy }) => {
      if (code === undefined) return [];
      expect({ code, message, hasRemedy: Boolean(remedy) }).toEqual({
        code,
        message: expect.stringMatching(/.{20}/),
        hasRemedy: true,
      });
      return [`${code} ${object.replace(this.folder, "DIR")}`];
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

networkTest("O13: a healthy host has no finding, and doctor changes nothing", async (host) => {
  using scene = new Scene(host);
  const one = await scene.attach("c1");
  const two = await scene.attach("c2");
  const [found] = await Promise.all([host.unchangedBy(() => scene.doctor(), [/^neighbour /])]);
  const rows: { state: string; check: string; object: string }[] = JSON.parse(found.stdout).rows;
  expect(rows.filter(({ state }) => state !== "ok")).toEqual([]);
  expect({ exitCode: found.exitCode, stderr: found.stderr }).toEqual({ exitCode: 0, stderr: "" });
  const checks = rows.map(({ check, object }) => `${check} ${object}`);
  expect(checks).toEqual(
    expect.arrayContaining([
      "forwarding host",
      "status testnet",
      "check testnet/c1/eth0",
      "check testnet/c2/eth0",
    ]),
  );
  // The same on a host of systemd: a system bus without firewalld, and the socket that a bus has left, are no findings.
  const again = async () => JSON.parse((await scene.doctor()).stdout).rows;
  mkdirSync("/run/systemd/system", { recursive: true });
  if (whyNoProgram("dbus-daemon") === undefined) {
    await using _bus = await Firewalld.start(false);
    expect(await again()).toEqual(rows);
  }
  mkdirSync("/run/dbus");
  writeFileSync("/run/dbus/system_bus_socket", "");
  expect(await again()).toEqual(rows);
  for (const folder of ["/run/dbus", "/run/systemd"]) rmSync(folder, { recursive: true });
  // A container, or the beginning of its id, is one of them.
  const { stdout } = await scene.doctor(["c2"], {});
  expect(stdout).toContain("ok           check           testnet/c2/eth0: as ADD has left it\n");
  expect(stdout).not.toContain("testnet/c1");
  // What nobody could look at is not called fine.
  scene.write("results/broken", "{");
  scene.pluginPath = join(scene.folder, "results");
  const blind = await scene.doctor(["c2"], {});
  expect(blind.stdout).not.toContain("as ADD has left it");
  expect(blind.stderr).toContain("cannot check check of testnet/c2/eth0: no program of bridge is in ");
  expect(blind.stderr).toContain(`cannot read the attachment of "${scene.folder}/results/broken": `);
  scene.pluginPath = builtBinaries();
  expect((await scene.doctor()).exitCode).toBe(4);
  await one.del();
  await two.del();
});

/** What is broken, and the findings that follow. */
const BROKEN: readonly [
  string,
  (host: ScratchHost, scene: Scene, one: Attachment) => Promise<unknown> | unknown,
  string[],
][] = [
  ["forwarding is off", (host) => host.run("sysctl -qw net.ipv4.ip_forward=0"), ["BH202 testnet"]],
  ["strict rp_filter", (host) => host.run(`sysctl -qw net.ipv4.conf.${BRIDGE}.rp_filter=1`), ["BH207 br0"]],
  [
    "an open 127.0.0.0/8",
    (host) => host.run(`sysctl -qw net.ipv4.conf.${BRIDGE}.route_localnet=1`),
    ["BH208 br0"],
  ],
  [
    "bridged packets past the rules of Kubernetes",
    (host) =>
      host.run(
        "iptables-nft -t nat -N KUBE-SERVICES; sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true",
      ),
    ["BH211 testnet"],
  ],
  [
    "a full table of connections",
    (host, scene) => {
      scene.write("count", readFileSync("/proc/sys/net/netfilter/nf_conntrack_max", "utf8"));
      return host.run(`mount --bind ${scene.folder}/count /proc/sys/net/netfilter/nf_conntrack_count`);
    },
    ["BH209 nf_conntrack"],
  ],
  [
    "plugins of two versions",
    (_, scene) => scene.putBefore("loopback", "echo 'CNI loopback plugin v1.3.0' >&2"),
    ["BH213 DIR:"],
  ],
  [
    "a STATUS that fails",
    (_, scene) =>
      scene.putBefore(
        "firewall",
        `[ "$CNI_COMMAND" = STATUS ] || exec ${builtBinaries()}/firewall\necho '{"code": 50, "msg": "the moon is full"}'; exit 1`,
      ),
    ["BH301 testnet"],
  ],
  [
    "a file that is no network",
    (_, scene) => scene.write("99-broken.conf", "{"),
    ["BH303 DIR/99-broken.conf"],
  ],
  [
    "a misspelt key",
    (_, scene) => scene.write("10-net.conflist", JSON.stringify(scene.list).replace("isGateway", "isGatway")),
    ["BH104 testnet"],
  ],
  [
    "a second network with the first one's subnet, which is said once",
    (_, scene) => scene.write("20-other.conflist", JSON.stringify({ ...scene.list, name: "other" })),
    ["BH124 other", "BH120 other"],
  ],
  [
    "a folder of leases that is read-only",
    (host) => host.run(`mount --bind ${LEASES} ${LEASES} && mount -o remount,bind,ro ${LEASES}`),
    ["BH304 testnet", "BH301 testnet", "BH401 testnet/c1/eth0"],
  ],
  [
    "a lost address",
    (_, __, one) => one.namespace.run("ip addr flush dev eth0 scope global"),
    ["BH401 testnet/c1/eth0"],
  ],
  [
    "a namespace that is gone",
    (_, scene, one) =>
      scene.cache(one, {
        containerId: "c9",
        netns: "/run/netns/gone",
        result: { ...one.result, interfaces: [], ips: [] },
      }),
    ["BH402 testnet/c9/eth0"],
  ],
  [
    "a neighbour of before",
    (host) => host.run(`ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:09 dev ${BRIDGE} nud permanent`),
    ["BH404 testnet/c1/eth0"],
  ],
];

const brokenTest = hostTests({ mayKeep: [...STAYS, /^sysctl net\.ipv4\.conf\.br0\./] });

brokenTest.each(BROKEN)("O13: %s", async (host, what, breakIt, expected) => {
  using scene = new Scene(host);
  const one = await scene.attach("c1");
  expect(await scene.findings()).toEqual([]);
  try {
    await breakIt(host, scene, one);
    const found = await scene.findings();
    if (what.startsWith("an open"))
      expect((await scene.doctor([], {})).stdout).toContain(
        `${BRIDGE}.route_localnet=0, which ends 127.0.0.1:PORT for networks of the Go plugins\n`,
      );
    if (what === "a lost address")
      expect((await scene.doctor([], {})).stdout).toContain(
        "do: let the runtime start the container again: repair puts back rules alone\n",
      );
    if (what === "a namespace that is gone")
      expect((await scene.doctor([], {})).stdout).toContain(
        "do: bridgehead run DEL testnet --netns /run/netns/gone --id c9 --ifname eth0\n",
      );
    expect(found.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected);
  } finally {
    if (what.startsWith("a full table")) await host.run("umount /proc/sys/net/netfilter/nf_conntrack_count");
    if (what.startsWith("a folder")) await host.run(`umount ${LEASES}`);
    if (what.startsWith("bridged"))
      await host.run(
        "iptables-nft -t nat -X KUBE-SERVICES; sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true",
      );
    if (what.startsWith("a neighbour")) await host.run(`ip neigh del 10.77.0.2 dev ${BRIDGE}`);
  }
  await one.del();
});

networkTest("O13: a range without a free address", async (host) => {
  using scene = new Scene(host, {
    ipam: hostLocal({ ...V4, rangeStart: "10.77.0.2", rangeEnd: "10.77.0.3" }),
  });
  expect(await scene.findings()).toEqual([]);
  const one = await scene.attach("c1");
  expect(await scene.findings()).toEqual([]);
  const two = await scene.attach("c2");
  expect(await scene.findings()).toEqual(["BH302 testnet"]);
  expect((await scene.doctor()).exitCode).toBe(1);
  await two.del();
  rmSync(keptFile(scene.folder, "c2"));
  // What is not a lease holds its address as well.
  const foreign = join(LEASES, two.result.ips[0]?.address.split("/")[0] ?? "");
  writeFileSync(foreign, "not a lease\n");
  expect(await scene.findings()).toEqual(["BH302 testnet"]);
  expect((await scene.doctor([], {})).stdout).toContain(
    "do: bridgehead leases testnet; remove the files that are not leases\n",
  );
  rmSync(foreign);
  await one.del();
});

networkTest("O13: an address that two living attachments have", async (host) => {
  using scene = new Scene(host);
  const one = await scene.attach("c1");
  const two = await scene.attach("c2");
  scene.cache(two, { result: { ...two.result, ips: one.result.ips } });
  const found = await scene.findings();
  expect(found).toEqual(expect.arrayContaining(["BH403 testnet/c1/eth0", "BH403 testnet/c2/eth0"]));
  await one.del();
  await two.del();
});

networkTest("O13: a chain that drops forwarded packets, unless firewall accepts them", async (host) => {
  using scene = new Scene(host);
  await host.run("iptables-nft -P FORWARD DROP");
  expect(await scene.findings()).toEqual([]);
  const { plugins, ...rest } = scene.list;
  scene.write("10-net.conflist", JSON.stringify({ ...rest, plugins: plugins.slice(0, 1) }));
  expect(await scene.findings()).toEqual(["BH205 testnet"]);
  expect((await scene.doctor()).exitCode).toBe(0);
  await host.run("nft delete table ip filter");
});

networkTest("O13: a lock that is held, with its holder", async (host) => {
  using scene = new Scene(host);
  const one = await scene.attach("c1");
  const lock = `${LEASES}/lock`;
  const holder = Bun.spawn(["flock", lock, "cat"], { stdin: "pipe", stdout: "ignore", env: process.env });
  const inode = String(statSync(lock).ino);
  await eventually("the lock is held", () => readFileSync("/proc/locks", "utf8").includes(`:${inode} `));
  const { stdout } = await scene.doctor();
  holder.stdin.end();
  await holder.exited;
  expect(stdout).toContain('"code": "BH210"');
  expect(stdout).toMatch(/process \d+ \((?:flock|cat)\) holds the lock \S+testnet\/lock/);
  await one.del();
});

hostTests({}, testUnless(await whyNoLegacy()))("O13: rules of both variants of iptables", async (host) => {
  using scene = new Scene(host);
  const rule = "-t nat -A POSTROUTING -s 192.0.2.1 -j ACCEPT";
  await host.run(`iptables-legacy ${rule}`);
  expect(await scene.findings()).toEqual([]);
  await host.run(`iptables-nft ${rule}`);
  expect(await scene.findings()).toEqual(["BH204 ip nat"]);
  await host.run("iptables-legacy -t nat -F; nft delete table ip nat");
});

/** A network with these plugins, as readNetworks reads it. */
const networkOf = (name: string, ...plugins: Document[]): Network => ({
  ...{ name, file: `/etc/cni/net.d/${name}.conflist`, cniVersion: "1.0.0", isList: true },
  ...{ document: { plugins }, plugins },
});

networkTest("O13: a kernel without the features that the networks need", async (host) => {
  const folder = mkdtempSync(join(tmpdir(), "modules-"));
  try {
    const release = (await host.run("uname -r")).trim();
    mkdirSync(join(folder, release));
    writeFileSync(
      join(folder, release, "modules.dep"),
      "kernel/net/bridge/bridge.ko.xz: kernel/net/llc/llc.ko.xz\n",
    );
    const links = [{ index: 1, name: "br0", kind: "bridge" }];
    const missing = (...plugins: Document[]): string[] => {
      const networks = { networks: [networkOf("a", ...plugins)], broken: [] };
      return missingFeatures({ networks, links }, folder, folder).map(
        ({ code, object }) => `${code} ${object}`,
      );
    };
    expect(missing({ type: "bridge" })).toEqual(["BH201 veth"]);
    writeFileSync(join(folder, release, "modules.builtin"), "kernel/drivers/net/veth.ko\n");
    expect(missing({ type: "bridge" })).toEqual([]);
    expect(missing({ type: "bridge" }, { type: "bandwidth" })).toEqual(
      ["ifb", "sch_tbf"].filter((name) => !existsSync(`/sys/module/${name}`)).map((name) => `BH201 ${name}`),
    );
    expect(missing({ type: "bridge", vlan: 5 })).toEqual(["BH201 VLAN filtering"]);
    mkdirSync(join(folder, "br0/bridge"), { recursive: true });
    writeFileSync(join(folder, "br0/bridge/vlan_filtering"), "0\n");
    expect(missing({ type: "bridge", vlan: 5 })).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

networkTest("O13: a file that comes before the network of the pods", async () => {
  const networks = ["05-old", "10-net", "20-other"].map((name) => networkOf(name, { type: "bridge" }));
  const found = passedOver({ networks }, (name) => name === "10-net", tmpdir());
  expect(found?.map(({ code, object }) => `${code} ${object}`)).toEqual(["BH305 10-net"]);
  expect(found?.[0]?.message).toContain("/05-old.conflist");
  // One network, and a host without a kubelet.
  expect(passedOver({ networks: networks.slice(0, 1) }, () => true, tmpdir())).toEqual([]);
  expect(passedOver({ networks }, () => true, "/nonexistent")).toBeUndefined();
});

hostTests({ mayKeep: STAYS }, testUnless(whyNoReference("bridge")))(
  "O13: a network of the Go plugins is healthy, and what is lost there is named",
  async (host) => {
    using scene = new Scene(host, { cniVersion: "1.0.0" });
    scene.pluginPath = referencePlugin("");
    const one = await prepare(host, "c1", scene.keys);
    const added = await callPlugin("bridge", one.request("ADD"), scene.pluginPath);
    one.result = added.json<AddResult>();
    scene.cache(one);
    expect(await scene.findings()).toEqual([]);
    await one.namespace.run("ip addr flush dev eth0 scope global");
    expect(await scene.findings()).toEqual(["BH401 testnet/c1/eth0"]);
    // The reference's own DEL needs the lost address to find its rules.
    await one.del();
  },
);

networkTest("O13, O4: a name that nothing has is exit code 1", async (host) => {
  using scene = new Scene(host);
  for (const [words, options] of [[["nobody"], {}] as const, [[], { network: "nobody" }] as const])
    expect(scene.doctor([...words], options)).rejects.toMatchObject({
      ...{ exit: 1, message: expect.stringContaining('no network and no container is called "nobody"') },
    });
});

networkTest("O13: a folder of plugins that is missing is one finding", async (host) => {
  using scene = new Scene(host);
  scene.write("20-other.conflist", JSON.stringify({ ...scene.list, name: "other" }));
  scene.pluginPath = `${scene.folder}/none`;
  expect((await scene.findings()).filter((line) => line.startsWith("BH112"))).toEqual(["BH112 DIR/none"]);
  const files = sourcesAt(scene.folder);
  const findings = await validate({ files, others: [], pluginPath: scene.pluginPath });
  expect(findings.flatMap(({ code, file }) => (code === "BH112" ? file : []))).toEqual(
    files.slice(0, 1).map(({ path }) => path),
  );
});
