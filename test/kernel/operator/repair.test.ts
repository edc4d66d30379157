/** O14: what other programs have removed from the host comes back, and nothing else is touched. */
import { expect } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHost } from "../../../src/operator/attachments.ts";
import { lostByReload } from "../../../src/operator/doctor/firewalld-check.ts";
import { run } from "../../../src/operator/repair.ts";
import { command, recordingTerminal } from "../../operator/recording.ts";
import { hostTests } from "../../support/host-test.ts";
import { linesOf } from "../../support/lines.ts";
import { callPlugin, type PluginOutcome } from "../../support/plugin-call.ts";
import { referencePlugin, whyNoReference } from "../../support/reference-plugin.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { PROJECT } from "../../support/test-files.ts";
import { type AddResult, BRIDGE, hostLocal, NETWORK, STAYS, V4, V6 } from "../bridge/network.ts";
import { Firewalld, whyNoFirewalld } from "../firewall/firewalld.ts";
import { keep, keptFile } from "./libcni-cache.ts";

/** The port that all containers publish: it leads to the newest. */
const PORT = { hostPort: 8080, containerPort: 80, protocol: "tcp" };

type Call = (name: string, call: Parameters<typeof callPlugin>[1]) => Promise<PluginOutcome>;

/** A network with all of its plugins, and the cache that a runtime keeps of it. */
class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), "repair-"));
  readonly plugins: readonly Record<string, unknown>[];
  private readonly host: ScratchHost;
  private readonly call: Call;
  private readonly cniVersion: string;
  private readonly containers: [NamedNamespace, AddResult][] = [];

  constructor(
    host: ScratchHost,
    keys: { bridge?: object; portmap?: object; firewall?: object } = {},
    by?: { readonly call: Call; readonly cniVersion: string },
  ) {
    this.host = host;
    this.call = by?.call ?? ((name, call) => host.plugin(name, call));
    this.cniVersion = by?.cniVersion ?? "1.1.0";
    const bridge = { bridge: BRIDGE, isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6), ...keys.bridge };
    this.plugins = [
      { type: "bridge", ...bridge },
      { type: "portmap", capabilities: { portMappings: true }, ...keys.portmap },
      { type: "firewall", ...keys.firewall },
    ];
    mkdirSync(join(this.folder, "results"));
  }

  /** A container through the chain, and its file in the cache. */
  async add(name: string): Promise<{ namespace: NamedNamespace; result: AddResult }> {
    const namespace = await this.host.addNamespace(name);
    let result: AddResult | undefined;
    for (const plugin of this.plugins) {
      const outcome = await this.run("ADD", plugin, namespace, result);
      expect(`${outcome}`).toStartWith("exit code 0");
      result = outcome.json<AddResult>();
    }
    if (result === undefined) throw new Error("a network without plugins");
    this.containers.push([namespace, result]);
    this.cache(name, namespace.path, result);
    return { namespace, result };
  }

  private run(command: string, plugin: object, { name, path }: NamedNamespace, prevResult?: object) {
    const config = { cniVersion: this.cniVersion, name: NETWORK, runtimeConfig: { portMappings: [PORT] } };
    const { type } = plugin as { type: string };
    return this.call(type, {
      ...{ command, containerId: name, netns: path, ifname: "eth0" },
      config: { ...config, ...plugin, ...(prevResult !== undefined && { prevResult }) },
    });
  }

  /** A file as libcni writes it. */
  cache(containerId: string, netns: string, result: object): void {
    const list = { cniVersion: this.cniVersion, name: NETWORK, plugins: this.plugins };
    const capabilityArgs = { portMappings: [PORT] };
    keep(this.folder, { containerId, netns, result, config: list, capabilityArgs });
  }

  /** What CHECK of all plugins says of all containers. */
  async check(): Promise<string[]> {
    const said: string[] = [];
    for (const [namespace, result] of this.containers)
      for (const plugin of this.plugins) {
        const { exitCode, stdout } = await this.run("CHECK", plugin, namespace, result);
        if (exitCode !== 0) said.push(`${namespace.name} ${plugin.type}: ${stdout}`);
      }
    return said;
  }

  repair = (...words: string[]) => command(["repair", ...words, "--cache-dir", this.folder]);

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [namespace, result] of this.containers)
      for (const plugin of this.plugins.toReversed()) await this.run("DEL", plugin, namespace, result);
    rmSync(this.folder, { recursive: true });
  }
}

/** A connection between two containers that answers each line with the same line. */
async function connect(from: NamedNamespace, to: NamedNamespace, address: string) {
  const spawn = (where: NamedNamespace, script: string) =>
    Bun.spawn(where.inside([process.execPath, "-e", script]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
  const server = spawn(
    to,
    'require("net").createServer((s) => s.pipe(s)).listen(7000, "0.0.0.0", () => console.log("ready"))',
  );
  await linesOf(server.stdout).next();
  const client = spawn(
    from,
    `const s = require("net").connect(7000, "${address}"); process.stdin.pipe(s); s.pipe(process.stdout)`,
  );
  const lines = linesOf(client.stdout);
  return {
    async say(line: string): Promise<unknown> {
      client.stdin.write(`${line}\n`);
      await client.stdin.flush();
      return (await lines.next()).value;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const child of [client, server]) {
        child.kill();
        await child.exited;
      }
    },
  };
}

const addressOf = ({ ips }: AddResult): string => ips[0]?.address.split("/")[0] ?? "";

/** What other programs do, and what is lost by it. */
const DAMAGE: readonly [command: string, lost: string][] = [
  ["iptables-nft -t nat -F; ip6tables-nft -t nat -F", "masquerade rules, published ports"],
  ["nft flush ruleset", "masquerade rules, published ports, firewall rules"],
  ["iptables-nft -F FORWARD && iptables-nft -F CNI-FORWARD && iptables-nft -X CNI-FORWARD", "firewall rules"],
  [
    `sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv4.conf.${BRIDGE}.route_localnet=0`,
    "forwarding, published ports",
  ],
];

/** What the kernel sets along with forwarding. */
const FOLLOWS = /^sysctl net\.ipv[46]\.conf\.\S+\.(accept_redirects|forwarding|accept_ra) /;

/** Tables and chains are listed in the order in which they were made, which says nothing; the order of rules stays. */
function keyOf(line: string): string {
  const [, entry, family, table, chain] =
    /^nft \{"(\w+)":\{"family":"(\w+)",(?:"table|"name)":"([^"]*)"(?:,"name":"([^"]*)")?/.exec(line) ?? [];
  if (entry !== undefined) return `${family} ${table} ${entry === "chain" ? `- ${chain}` : "."}`;
  const [, where = "", name] = /^(ip6?tables-\w+ \w+) (?::(\S+))?/.exec(line) ?? [];
  return name === undefined ? `${where}.` : `${where}- ${name}`;
}

const sorted = (state: readonly string[]): string[] =>
  state.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));

/** Damages the host, and expects that repair puts all of it back for these containers. */
async function expectRepaired(
  host: ScratchHost,
  scene: Scene,
  ids: readonly string[],
  [damage, lost]: readonly [string, string],
): Promise<void> {
  const before = sorted(await host.state());
  await host.run(damage);
  const lines = ids.map((id) => `${NETWORK}: container ${id}, interface eth0 has lost ${lost}\n`);
  expect(await scene.repair()).toEqual({
    exitCode: 0,
    stdout: `${lines.join("")}would repair 2 attachments\n`,
    stderr: "nothing was changed; --yes does it\n",
  });
  const { exitCode, stdout } = await scene.repair("--yes");
  expect([exitCode, stdout]).toEqual([0, `${lines.join("")}repaired 2 attachments\n`]);
  expect(await scene.repair("--yes")).toMatchObject({ exitCode: 0, stdout: "nothing is missing\n" });
  expect(stateDifference(before, sorted(await host.state()), [FOLLOWS])).toEqual([]);
}

const repairTest = hostTests({ mayKeep: [...STAYS, /^sysctl net\.ipv4\.conf\.br0\./] });

repairTest(
  "O14, O2: rules and settings come back as they were, nothing else is touched, and a connection goes on",
  async (host) => {
    await using scene = new Scene(host, { bridge: { macspoofchk: true } });
    const one = await scene.add("c1");
    const two = await scene.add("c2");
    await using connection = await connect(one.namespace, two.namespace, addressOf(two.result));
    expect(await connection.say("before")).toBe("before");
    for (const [damage, lost] of DAMAGE) {
      const all = damage === "nft flush ruleset" ? `spoof check, ${lost}` : lost;
      await expectRepaired(host, scene, ["c1", "c2"], [damage, all]);
      expect(await connection.say(damage)).toBe(damage);
    }

    // Only the older one loses its port: it still leads to the newer one afterwards.
    const state = sorted(await host.state());
    const chains = await host.run("iptables-nft -t nat -S");
    const [, older = ""] = /^-A (CNI-DN-\S+) .*--to-destination 10\.77\.0\.2:80$/m.exec(chains) ?? [];
    await host.run(`iptables-nft -t nat -F ${older}`);
    // A dry run changes nothing.
    const dry = await host.unchangedBy(() => scene.repair("--dry-run"));
    expect(dry.stdout).toContain("would repair 1 attachment\n");
    expect((await scene.repair("c1", "--yes", "-q")).stdout).toBe("c1\n");
    expect(stateDifference(state, sorted(await host.state()))).toEqual([]);

    // Neither a dead attachment nor one whose namespace has another container by now gets rules.
    const copy = { ...one.result, ips: [{ address: "10.77.0.9/24", interface: 2 }] };
    scene.cache("c8", one.namespace.path, copy);
    scene.cache("c9", "/run/netns/gone", { ...copy, interfaces: [] });
    const left = await host.unchangedBy(() => scene.repair("--yes", "--json"));
    const { attachments } = JSON.parse(left.stdout);
    expect(attachments.map((each: Record<string, string>) => `${each.containerID} ${each.state}`)).toEqual([
      "c1 alive",
      "c2 alive",
      "c8 left",
      "c9 left",
    ]);
    expect(attachments[2].why).toContain("does not have its address 10.77.0.9/24");
    expect(attachments[3].why).toBe("its namespace /run/netns/gone is gone");

    // A file that cannot be read is named. The others are repaired.
    writeFileSync(keptFile(scene.folder, "c9"), "{");
    expect((await scene.repair("--yes")).exitCode).toBe(4);
    await host.run("iptables-nft -t nat -F");
    const partly = await scene.repair("--yes");
    expect([partly.exitCode, partly.stdout.split("\n").at(-2)]).toEqual([1, "repaired 2 attachments"]);
    expect(partly.stderr).toContain("testnet-c9-eth0");
    rmSync(keptFile(scene.folder, "c9"));

    // A container that ends meanwhile keeps no rules: here it does when its port has just been taken from the newer one.
    await host.run(`iptables-nft -t nat -F ${older}`);
    const { said, program, terminal } = recordingTerminal();
    const stderr = (text: string): void => {
      if (text.includes("from now on it leads"))
        Bun.spawnSync(["ip", "link", "delete", one.result.interfaces[1]?.name ?? ""]);
    };
    const options = { yes: true, cacheDir: scene.folder };
    await run({ arguments: ["c1"], options, program, terminal: { ...terminal, stderr } });
    expect(said.stdout).toEndWith("repaired 1 attachment\n");
    expect((await host.state()).filter((line) => /^(nft|ip6?tables).*10\.77\.0\.2\b/.test(line))).toEqual([]);
    expect((await scene.repair()).stdout).toContain("nothing is missing\n");

    writeFileSync(join(scene.folder, "file"), "");
    const unread = await command(["repair", "--yes", "--cache-dir", join(scene.folder, "file")]);
    expect([unread.exitCode, unread.stderr]).toEqual([
      4,
      expect.stringContaining("cannot read libcni's cache"),
    ]);
  },
);

repairTest(
  "O14: rules of the backend nftables come back, with the isolation that was recorded",
  async (host) => {
    const backend = { backend: "nftables" };
    await using scene = new Scene(host, {
      bridge: { ipMasqBackend: "nftables", ipam: hostLocal(V4) },
      portmap: backend,
      firewall: { ...backend, ingressPolicy: "isolated" },
    });
    const { result } = await scene.add("c2");
    await scene.add("c1");
    const lost = "masquerade rules, published ports, firewall rules";
    await expectRepaired(host, scene, ["c2", "c1"], ["nft flush ruleset", lost]);
    // A lost isolation of a port, which is a setting of the link, is named and left.
    const port = result.interfaces[1]?.name ?? "";
    await host.run(["bridge", "link", "set", "dev", port, "isolated", "off"]);
    const missed = (await scene.check()).filter((each) => each.includes("is not isolated from"));
    expect(missed).toHaveLength(1);
    const { exitCode, stdout, stderr } = await host.unchangedBy(() => scene.repair("--yes"));
    expect([exitCode, stdout]).toEqual([
      1,
      expect.stringContaining("c2, interface eth0 has lost isolation of its port\n"),
    ]);
    expect(stderr).toContain("is not isolated any more; repair changes no links");
  },
);

// The reference leaves its shared chains.
hostTests(
  { mayKeep: [...STAYS, /br0/, /CNI-(FORWARD|ADMIN|HOSTPORT)/] },
  testUnless(whyNoReference("bridge")),
)("O14: what containers of the Go plugins have lost comes back, and those find it whole", async (host) => {
  const call: Call = (name, request) => callPlugin(name, request, referencePlugin(""));
  await using scene = new Scene(host, {}, { call, cniVersion: "1.0.0" });
  const one = await scene.add("c1");
  const two = await scene.add("c2");
  await using connection = await connect(one.namespace, two.namespace, addressOf(two.result));
  expect(await connection.say("before")).toBe("before");
  const rules = async (): Promise<string[]> =>
    (await host.run("iptables-nft-save; ip6tables-nft-save"))
      .split("\n")
      .filter((line) => line.startsWith("-A "));
  const before = await rules();
  // Some versions of the Go plugin portmap look for rules of IPv4 in the table of IPv6, and so always fail.
  const checked = await scene.check();
  for (const [damage, lost] of DAMAGE) {
    await host.run(damage);
    const { exitCode, stdout } = await scene.repair("--yes");
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`c1, interface eth0 has lost ${lost}\n`)]);
    expect(await scene.check()).toEqual(checked);
    expect(await rules()).toEqual(expect.arrayContaining(before));
    expect((await scene.repair()).stdout).toBe("nothing is missing\n");
    expect(await connection.say(damage)).toBe(damage);
  }
});

/** The command of the unit that watches for reloads, with another command in the place of repair. */
class Reloads implements AsyncDisposable {
  private readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;

  private constructor() {
    const unit = readFileSync(join(PROJECT, "deploy/systemd/bridgehead-repair-reloads.service"), "utf8");
    const [, line = ""] = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(unit) ?? [];
    const script = line.replace("/usr/local/bin/bridgehead repair --yes", "echo reloaded");
    const streams = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
    this.child = Bun.spawn(["/bin/sh", "-c", script], { ...streams, detached: true });
  }

  static async watch(): Promise<Reloads> {
    const reloads = new Reloads();
    for await (const line of linesOf(reloads.child.stderr)) if (line.startsWith("Monitoring")) break;
    return reloads;
  }

  async seen(): Promise<void> {
    expect((await linesOf(this.child.stdout).next()).value).toBe("reloaded");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The shell, busctl and the loop are a group of processes.
    process.kill(-this.child.pid, "SIGTERM");
    await this.child.exited;
  }
}

hostTests({ mayKeep: [...STAYS, /br0/] }, testUnless(whyNoFirewalld() ?? whyNoProgram("busctl")))(
  "O14, O13: sources of firewalld and rules come back after its reload, which doctor names",
  async (host) => {
    await using firewalld = await Firewalld.start();
    await using scene = new Scene(host, { portmap: { backend: "iptables" } });
    await scene.add("c1");
    await using reloads = await Reloads.watch();
    const sources = await firewalld.sources();
    const rules = await host.run("iptables-nft-save -t nat | grep '^-A'");
    await firewalld.command("--reload");
    await reloads.seen();
    expect(await firewalld.sources()).toEqual([]);
    const state = await readHost({ options: { cacheDir: scene.folder } });
    const lost = await lostByReload(state);
    expect(lost?.map(({ code, remedy }) => [code, remedy])).toEqual([["BH214", "bridgehead repair --yes"]]);
    const { exitCode, stdout } = await scene.repair("--yes");
    expect([exitCode, stdout]).toEqual([
      0,
      expect.stringContaining(
        "has lost masquerade rules, published ports, firewall rules and sources of firewalld\n",
      ),
    ]);
    expect(await firewalld.sources()).toEqual(sources);
    expect((await host.run("iptables-nft-save -t nat | grep '^-A'")).split("\n").sort()).toEqual(
      rules.split("\n").sort(),
    );
    expect(await scene.check()).toEqual([]);
    expect(await lostByReload(state)).toEqual([]);
  },
);
