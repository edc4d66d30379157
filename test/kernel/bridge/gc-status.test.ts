/** GC and STATUS of the bridge (A35-A39, G1, G2). */
import { describe, expect, test } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { expectUnchanged } from "../../support/state-difference.ts";
import {
  Attachment,
  BRIDGE,
  configuration,
  type ErrorDocument,
  hostLocal,
  IPAM_FILES,
  V4,
  withNetwork,
} from "./network.ts";

const CONFIG = configuration({ isGateway: true, ipam: hostLocal(V4) });

const hostCall = (host: ScratchHost, command: string, keys: object = {}) =>
  host.plugin("bridge", { command, config: { ...CONFIG, ...keys } });

const listed = (...attachments: Attachment[]) =>
  attachments.map(({ namespace, ifname }) => ({ containerID: namespace.name, ifname }));

async function ports(host: ScratchHost): Promise<string[]> {
  return (await host.json<{ ifname: string }[]>(`ip -j link show master ${BRIDGE}`))
    .map(({ ifname }) => ifname)
    .sort();
}

describe("GC", () => {
  test("A37, A38, G1: removes what is not listed, touches nothing that is, and not other networks", () =>
    withNetwork(async (host) => {
      const [one, two, three] = [
        await host.addNamespace("c1"),
        await host.addNamespace("c2"),
        await host.addNamespace("c3"),
      ];
      const live = new Attachment(host, one, CONFIG);
      const stale = new Attachment(host, two, CONFIG);
      const other = new Attachment(host, three, {
        ...CONFIG,
        name: "othernet",
        ipam: hostLocal({ subnet: "10.78.0.0/24" }),
        isGateway: false,
      });
      const result = await live.add();
      const staleVeth = (await stale.add()).interfaces[1]?.name ?? "";
      const otherResult = await other.add();
      // A port that somebody else made.
      await host.run(
        `ip link add foreign0 type veth peer name foreign1; ip link set foreign0 master ${BRIDGE}`,
      );

      const before = await ports(host);
      const outcome = await hostCall(host, "GC", { "cni.dev/valid-attachments": listed(live) });
      expect({ exitCode: outcome.exitCode, stdout: outcome.stdout }).toEqual({ exitCode: 0, stdout: "" });
      expect(outcome.stderr).toContain(`removed stale interface "${staleVeth}" (bridgehead:testnet/c2/eth0)`);
      expect(await ports(host)).toEqual(before.filter((name) => name !== staleVeth));
      expect(await host.run("ls /var/lib/cni/networks/testnet")).toContain("10.77.0.2");
      expect(await host.run("ls /var/lib/cni/networks/testnet")).not.toContain("10.77.0.3\n");
      await live.check(result);
      await other.check(otherResult);
      await other.del();
      await host.run(
        "ip link del foreign0; rm -r /var/lib/cni/networks/othernet /var/lib/cni/networks/.bridgehead/othernet*",
      );

      const others = [{ containerID: "c9", ifname: "eth0" }];
      expect((await hostCall(host, "GC", { "cni.dev/valid-attachments": others })).exitCode).toBe(0);
      expect(await ports(host)).toEqual([]);
      await live.del();
    }));

  test("A39: without an attachment list it is refused, nothing goes", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), CONFIG);
      const result = await attachment.add();
      const before = await host.state();
      const outcome = await hostCall(host, "GC");
      expect(outcome.exitCode).toBe(1);
      expect(outcome.json<ErrorDocument>().code).toBe(7);
      // A bridge whose first port is new settles in its own time.
      expectUnchanged(before, await host.state(), [/\bbr0\b/, /^fdb /, /fe80::/]);
      await attachment.check(result);
      await attachment.del();
    }));
});

describe("STATUS", () => {
  const CASES: readonly [string, string, object, number, RegExp | undefined][] = [
    ["nothing there yet", "true", {}, 0, undefined],
    [
      "the bridge's name is taken by something else",
      `ip link add ${BRIDGE} type veth peer name other0`,
      {},
      50,
      /"br0" already exists but is not a bridge/,
    ],
    [
      "L11: a range without any address to hand out",
      "true",
      { ipam: hostLocal({ ...V4, rangeStart: "10.77.0.1", rangeEnd: "10.77.0.1" }) },
      50,
      /range set 0 \(10\.77\.0\.1-10\.77\.0\.1\) has no address that may be handed out/,
    ],
    ["an IPAM that is not there", "true", { ipam: { type: "nope" } }, 999, /failed to find plugin "nope"/],
    ["a configuration that can't be", "true", { vlan: 5000 }, 7, /invalid VLAN ID 5000/],
  ];
  test.each([...CASES])("A35, A36, G2: %s", (_what, prepare, keys, code, message) =>
    withNetwork(async (host) => {
      await host.run(prepare);
      const before = await host.state();
      const outcome = await hostCall(host, "STATUS", keys);
      if (message === undefined)
        expect({ exitCode: outcome.exitCode, stdout: outcome.stdout }).toEqual({ exitCode: 0, stdout: "" });
      else expect(outcome.json<ErrorDocument>()).toMatchObject({ code, msg: expect.stringMatching(message) });
      expectUnchanged(before, await host.state(), [IPAM_FILES]);
      await host.run(`ip link del ${BRIDGE} 2>/dev/null || true`);
    }),
  );

  test("K27: a full range does not take the node down, unless statusReportsExhaustion asks for it", () =>
    withNetwork(async (host) => {
      const range = { ...V4, rangeStart: "10.77.0.2", rangeEnd: "10.77.0.2" };
      const small = { ...CONFIG, ipam: hostLocal(range) };
      const attachment = new Attachment(host, await host.addNamespace("c1"), small);
      const result = await attachment.add();
      const before = await host.state();

      const calm = await hostCall(host, "STATUS", { ipam: small.ipam });
      expect({ exitCode: calm.exitCode, stdout: calm.stdout }).toEqual({ exitCode: 0, stdout: "" });
      expect(calm.stderr.trimEnd().split("\n")).toEqual([
        expect.stringMatching(
          /^host-local: no IP addresses available in range set 0 \(.*\): 1 of 1 held in /,
        ),
      ]);
      const strict = await hostCall(host, "STATUS", {
        ipam: { ...small.ipam, statusReportsExhaustion: true },
      });
      expect(strict.json<ErrorDocument>()).toMatchObject({
        code: 50,
        msg: expect.stringMatching(/^no IP addresses available in range set 0 .*: 1 of 1 held in /),
      });
      // A bridge whose first port is new settles in its own time.
      expectUnchanged(before, await host.state(), [/\bbr0\b/, /^fdb /, /fe80::/]);
      await attachment.check(result);
      await attachment.del();
    }));
});
