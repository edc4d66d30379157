/** The judge itself: whatever a test could leave on its host, withScratchHost sees it and takes it away. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { expected, rows } from "../support/rows.ts";
import { type ScratchHost, withScratchHost } from "../support/scratch-host.ts";
import { testUnless } from "../support/skip.ts";

const BRIDGE = "ip link add br9 type bridge";

/** A change, and what the complaint has to name. */
const CHANGES = rows(String.raw`
  a link => ${BRIDGE} => /\+ link br9 /
  a changed mtu => ip link set lo mtu 1400 => /- link lo [\s\S]*\+ link lo /
  an address => ip addr add 192.0.2.1/32 dev lo => /\+ address lo .*192\.0\.2\.1/
  a route => ip route add blackhole 192.0.2.0/24 => /\+ route .*192\.0\.2\.0\/24/
  an IPv6 route => ip -6 route add blackhole 2001:db8::/64 => /\+ route .*2001:db8::\/64/
  a rule => ip rule add from 192.0.2.1 table 99 => /\+ rule -4 .*192\.0\.2\.1/
  an IPv6 rule => ip -6 rule add from 2001:db8::1 table 99 => /\+ rule -6 .*2001:db8::1/
  an nft table => nft add table inet left => /\+ nft .*"left"/
  an iptables rule => iptables-nft -t nat -A POSTROUTING -s 192.0.2.1 -j MASQUERADE => /\+ iptables-nft nat -A POSTROUTING/
  an IPv6 iptables rule => ip6tables-nft -A INPUT -s 2001:db8::1 -j DROP => /\+ ip6tables-nft filter -A INPUT/
  a sysctl => echo 1 >/proc/sys/net/ipv4/ip_forward => /\+ sysctl net\.ipv4\.ip_forward = 1/
  a lease => mkdir -p /var/lib/cni/networks/n && printf x >/var/lib/cni/networks/n/10.0.0.2 => /\+ file \/var\/lib\/cni\/networks\/n\/10\.0\.0\.2 .*"x"/
  a file beside the lock => mkdir -m 700 /run/bridgehead && >/run/bridgehead/x => /\+ file \/run\/bridgehead\/x /
  an open folder of the lock => mkdir -m 755 /run/bridgehead => /\+ file \/run\/bridgehead\/ 755/
  a file in /run => ln -s /nowhere /run/left => /\+ file \/run\/left -> \/nowhere/
`);

const LEGACY = "iptables-legacy -t nat -A POSTROUTING -s 192.0.2.1 -j MASQUERADE";
const PORT = `${BRIDGE} && ip link add v9 type veth peer name w9 && ip link set v9 master br9`;

const noLegacy = await whyNoLegacy();

describe("withScratchHost", () => {
  test.each([...CHANGES])("sees and removes %s", async (_what, command, complaint) => {
    await expect(withScratchHost(async (host) => void (await host.run(command)))).rejects.toThrow(
      expected(complaint),
    );
    await withScratchHost(async () => {});
  });

  testUnless(noLegacy)("sees and removes an iptables-legacy rule", async () => {
    const left = withScratchHost(async (host) => void (await host.run(LEGACY)));
    await expect(left).rejects.toThrow(/\+ iptables-legacy nat -A POSTROUTING/);
    await withScratchHost(async () => {});
  });

  test("sees the flags of a bridge port", async () => {
    await withScratchHost(
      async (host) => {
        await host.run(PORT);
        const before = await host.state();
        await host.run("bridge link set dev v9 hairpin on");
        const changed = (await host.state()).filter((line) => !before.includes(line));
        expect(changed.join("\n")).toMatch(/^port v9 .*"hairpin":true/m);
      },
      { mayKeep: [/./] },
    );
  });

  test("removes the namespaces of a test, also after a failure", async () => {
    const names = async (host: ScratchHost) => (await host.run("ip netns list")).trim();
    const failing = withScratchHost(async (host) => {
      const container = await host.addNamespace("c1");
      expect(await names(host)).toBe("c1");
      const links = await container.json<{ ifname: string; flags: string[] }[]>("ip -j link");
      expect(links.map(({ ifname, flags }) => [ifname, flags.includes("UP")])).toEqual([["lo", true]]);
      throw new Error("the test's own");
    });
    await expect(failing).rejects.toThrow("the test's own");
    await withScratchHost(async (host) => expect(await names(host)).toBe(""));
  });

  test("ends a test that has run into its limit before another one gets the host", async () => {
    const begun = Promise.withResolvers<void>();
    const ended = withScratchHost(async (host) => {
      await host.run(BRIDGE);
      begun.resolve();
      for (;;) await host.run("sleep 0.01");
    }).catch(String);
    await begun.promise;
    await withScratchHost(async (host) => expect(await host.run("ip -br link show br9 || true")).toBe(""));
    expect(await ended).toContain("the time of this test is over");
  });

  test("a command that fails says so with its output", async () => {
    await withScratchHost(async (host) => {
      await expect(host.run("echo out; echo err >&2; exit 3")).rejects.toThrow(/exit code 3\nout\nerr/);
    });
  });
});

test("nothing of the machine is in sight", () => {
  // Would throw if they existed: fresh folders, of this process alone.
  mkdirSync("/var/lib/cni/only-here", { recursive: false });
  writeFileSync("/run/only-here", "", { flag: "wx" });
  expect(Bun.spawnSync(["rm", "-r", "/var/lib/cni/only-here", "/run/only-here"]).exitCode).toBe(0);
});

async function whyNoLegacy(): Promise<string | undefined> {
  if (Bun.which("iptables-legacy") === null) return "no iptables-legacy on this machine";
  const { exitCode, stderr } = Bun.spawnSync(["iptables-legacy", "-t", "nat", "-S"]);
  return exitCode === 0 ? undefined : `iptables-legacy does not work here: ${stderr.toString().trim()}`;
}
