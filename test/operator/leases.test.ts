/** O8: what `leases` says of folders that this and other programs have written. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLeaseFolder } from "../../src/operator/lease-folders.ts";
import { type Evidence, judge } from "../../src/operator/lease-states.ts";
import { LeaseScene } from "../support/lease-scene.ts";
import { command } from "./recording.ts";

const root = mkdtempSync(join(tmpdir(), "bridgehead-leases-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;

/** A host of its own: networks by name with their `ipam`, and files of their folders of leases. */
function host(
  networks: Readonly<Record<string, object | undefined>>,
  files: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
) {
  const path = join(root, String(++count));
  const dataDir = join(path, "networks");
  mkdirSync(join(path, "net.d"), { recursive: true });
  mkdirSync(dataDir);
  for (const [name, ipam] of Object.entries(networks)) {
    if (ipam === undefined) continue;
    const plugin = { type: "bridge", ipam: { type: "host-local", dataDir, ...ipam } };
    writeFileSync(join(path, `net.d/${name}.conflist`), JSON.stringify({ name, plugins: [plugin] }));
  }
  for (const [network, contents] of Object.entries(files)) {
    mkdirSync(join(dataDir, network));
    for (const [name, content] of Object.entries(contents))
      writeFileSync(join(dataDir, network, name), content);
  }
  const options = ["--config-dir", join(path, "net.d"), "--data-dir", dataDir, "--cache-dir", path];
  return {
    path,
    dataDir,
    leases: (...words: string[]) => command(["leases", ...words, ...options]),
    release: (...words: string[]) => command(["release", ...words, ...options]),
  };
}

const SMALL = { ranges: [[{ subnet: "10.66.0.0/29" }]] };
const TWO_LEASES = {
  net1: { "10.66.0.2": "c1\r\neth0", "10.66.0.3": "c2", lock: "", "last_reserved_ip.0": "10.66.0.3" },
};

interface Document {
  readonly version: number;
  readonly networks: readonly {
    readonly network: string;
    readonly sets: readonly Record<string, unknown>[];
    readonly leases: readonly Record<string, string>[];
    readonly other: readonly { path: string; why: string }[];
  }[];
}

const documentOf = (stdout: string) => JSON.parse(stdout) as Document;

describe("O8: leases", () => {
  test("is a table, and a line for each range set with the next address", async () => {
    const { exitCode, stdout, stderr } = await host({ net1: SMALL }, TWO_LEASES).leases();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const lines = stdout.split("\n").map((line) => line.replaceAll(/ +/g, " "));
    expect(lines).toEqual([
      "NETWORK ADDRESS STATE CONTAINER IFNAME SINCE NETNS",
      expect.stringMatching(
        /^net1 10\.66\.0\.2 unknown c1 eth0 \d+s not recorded \(made by another plugin\)$/,
      ),
      expect.stringMatching(/^net1 10\.66\.0\.3 unknown c2 \d+s not recorded \(made by another plugin\)$/),
      "",
      "net1 10.66.0.0/29 2 of 5 used, 2 unknown; next 10.66.0.4",
      "",
    ]);
  });

  test("with --json equals what is in the folders", async () => {
    const contents = Object.fromEntries(
      Array.from({ length: 500 }, (_, at) => [`10.9.${at >> 8}.${at & 255}`, `id-${at}\r\neth${at % 3}`]),
    );
    const { stdout } = await host(
      { big: { ranges: [[{ subnet: "10.9.0.0/16" }]] } },
      { big: contents },
    ).leases("--json");
    const { version, networks } = documentOf(stdout);
    expect(version).toBe(1);
    expect(networks.map(({ network }) => network)).toEqual(["big"]);
    const [big] = networks;
    expect(
      Object.fromEntries(
        (big?.leases ?? []).map((lease) => [lease.address, `${lease.containerID}\r\n${lease.ifname}`]),
      ),
    ).toEqual(contents);
    expect(big?.leases.map(({ address }) => address)).toEqual(Object.keys(contents));
    expect(big?.sets).toEqual([
      {
        family: "ipv4",
        ranges: [
          { subnet: "10.9.0.0/16", rangeStart: "10.9.0.1", rangeEnd: "10.9.255.254", gateway: "10.9.0.1" },
        ],
        ...{ total: 65533, used: 498, alive: 0, dead: 0, unknown: 498, free: 65035, next: "10.9.1.244" },
      },
      // The network's own address and the gateway's are held too.
      {
        ...{
          family: "ipv4",
          ranges: [],
          total: null,
          used: 2,
          alive: 0,
          dead: 0,
          unknown: 2,
          free: null,
          next: null,
        },
      },
    ]);
  });

  test("without a configuration says only what is used", async () => {
    const { stdout } = await host({}, TWO_LEASES).leases();
    expect(stdout).toContain("\nnet1  outside of any configured range  2 used, 2 unknown\n");
  });

  test("of a network without a folder shows all as free", async () => {
    const { stdout } = await host({ net1: { subnet: "2001:db8::/64" } }).leases("net1", "--json");
    expect(stdout).toContain('"total": 18446744073709551614');
    expect(documentOf(stdout).networks[0]?.sets[0]).toMatchObject({ used: 0, next: "2001:db8::2" });
  });

  test("names the next address as host-local will give it", async () => {
    const full = Object.fromEntries([2, 3, 4, 5, 6].map((last) => [`10.66.0.${last}`, `c${last}\r\neth0`]));
    expect((await host({ net1: SMALL }, { net1: full }).leases()).stdout).toContain(
      "5 of 5 used, 5 unknown; none is free",
    );
    const gap = { ...full, "10.66.0.2": "", "last_reserved_ip.0": "10.66.0.6" };
    expect((await host({ net1: SMALL }, { net1: gap }).leases()).stdout).toContain(
      "4 of 5 used, 4 unknown; next 10.66.0.2",
    );
  });

  test("lists what is not a lease, with the reason", async () => {
    const { dataDir, leases, release } = host(
      { net1: SMALL },
      { net1: { "10.66.0.2": "", notes: "x", "10.66.0.4": "two words", "10.66.0.5": "c\r\neth0" } },
    );
    mkdirSync(join(dataDir, "net1/10.66.0.3"));
    symlinkSync("/etc/passwd", join(dataDir, "net1/10.66.0.6"));
    const { stdout } = await leases("--json");
    const [net1] = documentOf(stdout).networks;
    expect(
      Object.fromEntries((net1?.other ?? []).map(({ path, why }) => [path.slice(dataDir.length + 6), why])),
    ).toEqual({
      "10.66.0.2": "is empty: a plugin was killed before it wrote the lease; the address is free",
      "10.66.0.3": "is a directory, not a lease; its address is held",
      "10.66.0.4": "holds no container id, so it is not a lease; its address is held",
      "10.66.0.6": "is a symbolic link, not a lease; its address is held",
      notes: "has no name of a lease: it is not an address",
    });
    expect(net1?.sets[0]).toMatchObject({ used: 4, free: 1, next: "10.66.0.2" });
    expect((await leases()).stdout).toContain(`\nNot leases:\n  ${dataDir}/net1/`);
    expect(await release("net1", "10.66.0.4", "--yes")).toEqual({
      ...{ exitCode: 1, stdout: "" },
      stderr: `bridgehead release: cannot release "10.66.0.4": its file ${dataDir}/net1/10.66.0.4 holds no container id, so it is not a lease; its address is held; remove the file if nothing else needs it\n`,
    });
  });

  test("with --state and -q prints addresses of that state only", async () => {
    const { leases } = host({ net1: SMALL }, TWO_LEASES);
    expect((await leases("-q")).stdout).toBe("10.66.0.2\n10.66.0.3\n");
    expect((await leases("-q", "--state", "dead")).stdout).toBe("");
    expect((await leases("--state", "gone")).exitCode).toBe(2);
  });

  test("with --metrics prints OpenMetrics text", async () => {
    const { stdout } = await host({ net1: SMALL }, TWO_LEASES).leases("--metrics");
    const labels = 'network="net1",family="ipv4",range="10.66.0.0/29"';
    expect(stdout).toContain(`# TYPE bridgehead_addresses gauge\n`);
    expect(stdout).toContain(`\nbridgehead_addresses{${labels}} 5\n`);
    expect(stdout).toContain(`\nbridgehead_addresses_free{${labels}} 3\n`);
    expect(stdout).toContain(`\nbridgehead_leases{${labels},state="unknown"} 2\n`);
    expect(stdout).toEndWith("\n# EOF\n");
    for (const line of stdout.trimEnd().split("\n"))
      expect(line).toMatch(/^(# (TYPE|HELP) \w+ .+|# EOF|\w+\{(\w+="[^"]*",?)+\} \d+)$/);
  });

  test("with --metrics escapes the name of a network, and steers no terminal", async () => {
    const { path, leases } = host({ net1: SMALL });
    const plugin = { type: "bridge", ipam: { type: "host-local", ...SMALL } };
    writeFileSync(
      join(path, "net.d/evil.conflist"),
      JSON.stringify({ name: '\x1b[2J\r"a\\\nb', plugins: [plugin] }),
    );
    const { stdout } = await leases("--metrics");
    expect(stdout).toContain(String.raw`{network="\\x1b[2J\\x0d\"a\\\nb",`);
    expect(stdout).toMatch(/^[\n -~]+$/);
  });

  test("of a network that does not exist is exit code 1 and names those that do", async () => {
    const { exitCode, stderr } = await host({ net1: SMALL }, { other: {} }).leases("net2");
    expect(exitCode).toBe(1);
    expect(stderr).toContain('cannot find network "net2"');
    expect(stderr).toContain("there are net1, other");
  });

  test("O4: a file in the folder's place is exit code 4", async () => {
    const { dataDir, leases } = host({ net1: SMALL });
    writeFileSync(join(dataDir, "net1"), "");
    const { exitCode, stdout, stderr } = await leases();
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: "" });
    expect(stderr).toContain(`cannot read the leases in "${dataDir}/net1": it is not a directory; remove it`);
  });

  test("says that the folder of the networks is a file, without what would steer a terminal", async () => {
    const { path } = host({ net1: SMALL }, TWO_LEASES);
    writeFileSync(join(path, "file"), "");
    const wrong = await command(["leases", "--config-dir", join(path, "file")]);
    expect({ exitCode: wrong.exitCode, stdout: wrong.stdout }).toEqual({ exitCode: 4, stdout: "" });
    expect(wrong.stderr).toMatch(
      /cannot read the networks in ".*\/file": .* name another folder with --config-dir/,
    );
    writeFileSync(join(path, "net.d/evil.conflist"), JSON.stringify({ name: "\x1b[2Jnet", type: "bridge" }));
    const { stderr } = await command(["leases", "none", "--config-dir", join(path, "net.d")]);
    expect(stderr).toContain("\\x1b[2Jnet");
    expect(stderr).not.toContain("\x1b");
  });

  test("names broken configurations and goes on with 0, for the timer of --metrics (O4)", async () => {
    const { path, leases } = host({ net1: SMALL, net2: { subnet: "10.66.0.0/31" } }, TWO_LEASES);
    writeFileSync(join(path, "net.d/a.conf"), "{");
    const { exitCode, stdout, stderr } = await leases();
    expect(exitCode).toBe(0);
    expect(stdout).toContain("2 of 5 used");
    expect(stderr).toContain(`cannot read the network of "${path}/net.d/a.conf": line 1, column 2`);
    expect(stderr).toContain("too small to allocate from");
  });
});

describe("O6, O8: the state of a lease", () => {
  const none: Evidence = { namespaces: [], lifeOf: () => undefined };
  const statesIn = async (scene: LeaseScene, evidence: Evidence | undefined) => {
    const folder = readLeaseFolder({ dataDir: scene.leases.dataDir, network: "net" });
    const judged = folder === undefined ? [] : await judge(folder, evidence, scene.boot);
    return Object.fromEntries(judged.map(({ containerId, state, why }) => [containerId, `${state}: ${why}`]));
  };

  test("is alive as long as the namespace lives, dead when it is gone, unknown without a record", async () => {
    using scene = new LeaseScene({ ranges: [[{ subnet: "10.66.0.0/29" }]] });
    await scene.add("a");
    await scene.add("b");
    scene.crash("b");
    scene.leases.write("10.66.0.6", "go\r\neth0");
    expect(await statesIn(scene, none)).toEqual({
      a: "alive: its namespace lives",
      b: "dead: its network namespace is gone",
      go: "unknown: not recorded (made by another plugin)",
    });
    scene.boot.reboot();
    expect(await statesIn(scene, none)).toMatchObject({ a: "dead: the host was rebooted" });
  });

  test("is alive whatever the record says, if anything shows that it lives", async () => {
    using scene = new LeaseScene({ ranges: [[{ subnet: "10.66.0.0/29" }]] });
    await scene.add("a");
    scene.crash("a");
    const living: Evidence = { namespaces: [], lifeOf: () => ({ netns: "/x", why: "seen" }) };
    expect(await statesIn(scene, living)).toEqual({ a: "alive: seen" });
  });

  test("is unknown to a user who may not look", async () => {
    using scene = new LeaseScene({ ranges: [[{ subnet: "10.66.0.0/29" }]] });
    await scene.add("a");
    await scene.add("b");
    scene.crash("b");
    expect(await statesIn(scene, undefined)).toEqual({
      a: "unknown: not permitted to look at its namespace",
      b: "unknown: not permitted to look for its interface",
    });
  });
});
