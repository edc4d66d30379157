/** O18: what a plugin writes of its steps and messages, and that it never disturbs a call. */
import { describe, expect } from "bun:test";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { type Attachment, networkTest, prepare } from "./network.ts";

const FILE = "/run/trace";
const KEYS = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables" };

const traced = (host: ScratchHost, one: Attachment, command: string, file: string, keys: object = {}) =>
  host.plugin("bridge", { ...one.request(command, keys), env: { BRIDGEHEAD_TRACE: file } });

/** The lines without process id and time, which have to be numbers that grow. */
function words(text: string): string[] {
  let [process, last] = ["", 0];
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, pid = "", time = "", rest = ""] = /^(\d+) +(\d+) (.*)$/.exec(line) ?? [];
      expect(line).toEndWith(rest);
      if (pid === process) expect(Number(time)).toBeGreaterThanOrEqual(last);
      [process, last] = [pid, Number(time)];
      return rest;
    });
}

describe("O18: BRIDGEHEAD_TRACE", () => {
  networkTest("tells in words what ADD and DEL do, in a file of its owner alone", async (host) => {
    const one = await prepare(host, "c1", KEYS);
    const added = await traced(host, one, "ADD", FILE);
    expect(`${added}`).toStartWith("exit code 0");
    expect(added.stderr).toBe("");
    expect(statSync(FILE).mode & 0o777).toBe(0o600);
    const lines = words(readFileSync(FILE, "utf8"));
    const inside = one.namespace.path;
    expect(lines[0]).toBe(`begin ADD of container c1, interface eth0, namespace ${inside}`);
    for (const line of [
      /^read "\{.*testnet.*" from standard input/,
      `open ${inside}`,
      `enter the network namespace of ${inside}`,
      "enter the network namespace of host",
      /^host: add link "br0".*kind "bridge"/,
      /^host: add link "veth\w+": mac \S+, kind "veth", master "br0", peer \{name "eth0", mac /,
      /^host: {3}done$/,
      /^host: get link "br0"/,
      /^host: {3}refused: no such device \(ENODEV\)/,
      `${inside}: add address 10.77.0.2/24 of link "eth0": broadcast 10.77.0.255`,
      /^take the lock .*testnet\/lock/,
      /10\.77\.0\.2/,
      /^host: add table /,
      /^host: add elements of set \S+ of table inet cni_plugins_masquerade: .*\{key 10\.77\.0\.2\}/,
      /^host: add rule in chain masq_checks of table inet cni_plugins_masquerade: comment ".*id: c1", .* saddr in set .* != 10\.77\.0\.0 masq$/,
      'write "1" to /proc/sys/net/ipv4/ip_forward',
      /^write "\{.*10\.77\.0\.2.* to standard output/,
    ])
      if (typeof line === "string") expect(`\n${lines.join("\n")}`).toContain(`\n${line}`);
      else expect(lines.join("\n")).toMatch(new RegExp(line, "m"));

    const deleted = await traced(host, one, "DEL", FILE);
    expect(`${deleted}`).toBe('exit code 0, stdout "", stderr ""');
    const more = words(readFileSync(FILE, "utf8"));
    expect(more.slice(0, lines.length)).toEqual(lines);
    expect(more.slice(lines.length).join("\n")).toMatch(
      /^begin DEL .*delete link .*remove \S+10\.77\.0\.2$/ms,
    );
    rmSync(FILE);
  });

  networkTest("follows no link, and a file that cannot be opened changes nothing", async (host) => {
    const one = await prepare(host, "c1", KEYS);
    writeFileSync("/run/target", "");
    symlinkSync("/run/target", FILE);
    for (const file of [FILE, "/nowhere/trace", "trace", "/run", "/dev/full"]) {
      const added = await traced(host, one, "ADD", file);
      expect(added).toMatchObject({ exitCode: 0, stderr: "" });
      expect(added.json()).toMatchObject({
        ips: [{ address: expect.stringMatching(/^10\.77\.0\.\d+\/24$/) }],
      });
      expect(`${await traced(host, one, "DEL", file)}`).toBe('exit code 0, stdout "", stderr ""');
    }
    expect([readFileSync("/run/target", "utf8"), existsSync("trace")]).toEqual(["", false]);
    rmSync(FILE);
    rmSync("/run/target");
  });

  networkTest("goes to standard error for -, and tells of an undo, and not of VERSION", async (host) => {
    const one = await prepare(host, "c1", KEYS);
    const version = await traced(host, one, "VERSION", "-");
    expect(version.json()).toMatchObject({ cniVersion: "1.1.0" });
    expect(version.stderr).toBe("");
    await one.namespace.run("ip link add eth0 type bridge");
    const failed = await traced(host, one, "ADD", "-");
    expect(failed.exitCode).toBe(1);
    expect(words(failed.stderr)).toContain("undo what this call has made");
    await one.namespace.run("ip link delete eth0");
    writeFileSync(FILE, "mine\n");
    chmodSync(FILE, 0o644);
    expect((await traced(host, one, "ADD", FILE, { ipam: {} })).exitCode).toBe(0);
    expect(readFileSync(FILE, "utf8")).toStartWith("mine\n");
    expect(`${await traced(host, one, "DEL", FILE, { ipam: {} })}`).toStartWith("exit code 0");
    rmSync(FILE);
  });
});
