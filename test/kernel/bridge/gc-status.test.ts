/** GC and STATUS of the bridge (A35-A39, G1, G2). */
import { describe, expect } from "bun:test";
import { rows } from "../../support/rows.ts";
import {
  attach,
  BRIDGE,
  FULL_RANGE,
  hostCall,
  hostLocal,
  IPAM_FILES,
  leased,
  listing,
  networkTest,
  portsOf,
  SETTLES,
  V4,
  wholeLife,
} from "./network.ts";

const KEYS = { isGateway: true };

describe("GC", () => {
  networkTest(
    "A37, A38, G1: removes what is not listed, touches nothing that is, and not other networks",
    async (host) => {
      const live = await attach(host, "c1", KEYS);
      const stale = await attach(host, "c2", KEYS);
      const ipam = hostLocal({ subnet: "10.78.0.0/24" });
      const other = await attach(host, "c3", { name: "othernet", ipam });
      // A port of another program.
      await host.run(
        `ip link add foreign0 type veth peer name foreign1; ip link set foreign0 master ${BRIDGE}`,
      );

      const before = await portsOf(host);
      const outcome = await hostCall(host, "GC", { ...KEYS, ...listing("c1") });
      expect(`${outcome}`).toStartWith('exit code 0, stdout ""');
      expect(outcome.stderr).toContain(
        `removed stale interface "${stale.veth}" (bridgehead:testnet/c2/eth0)`,
      );
      expect(await portsOf(host)).toEqual(before.filter((name) => name !== stale.veth));
      expect(leased()).toEqual(["10.77.0.2"]);
      await live.check();
      await other.check();
      await other.del();
      await host.run(
        "ip link del foreign0; rm -r /var/lib/cni/networks/othernet /var/lib/cni/networks/.bridgehead/othernet*",
      );

      expect((await hostCall(host, "GC", { ...KEYS, ...listing("c9") })).exitCode).toBe(0);
      expect(await portsOf(host)).toEqual([]);
      await live.del();
    },
  );

  networkTest("A39: without an attachment list it is refused, nothing goes", (host) =>
    wholeLife(host, KEYS, async () => {
      const outcome = await host.unchangedBy(() => hostCall(host, "GC", KEYS), SETTLES);
      expect([outcome.exitCode, outcome.json().code]).toEqual([1, 7]);
    }),
  );
});

describe("STATUS", () => {
  // What is there, keys of the configuration, the error's code and words.
  networkTest.each(
    rows<[string, string, string, string, string]>(`
      nothing there yet => true => {} => 0 => no error
      the bridge's name is taken by something else => ip link add ${BRIDGE} type veth peer name other0 => {} => 50 => "br0" already exists but is not a bridge
      L11: a range without any address to hand out => true => {"ipam": ${JSON.stringify(FULL_RANGE)}} => 50 => range set 0 (10.77.0.1-10.77.0.1) has no address that may be handed out
      an IPAM that is not there => true => {"ipam": {"type": "nope"}} => 999 => failed to find plugin "nope"
      a configuration that can't be => true => {"vlan": 5000} => 7 => invalid vlan 5000
    `),
  )("A35, A36, G2: %s", async (host, _what, command, keys, code, message) => {
    await host.run(command);
    const outcome = await host.unchangedBy(
      () => hostCall(host, "STATUS", { ...KEYS, ...JSON.parse(keys) }),
      [IPAM_FILES],
    );
    if (code === "0") expect(`${outcome}`).toStartWith('exit code 0, stdout ""');
    else expect(outcome.json()).toMatchObject({ code: Number(code), msg: expect.stringContaining(message) });
    await host.run(`ip link del ${BRIDGE} 2>/dev/null || true`);
  });

  networkTest(
    "K27: a full range does not take the node down, unless statusReportsExhaustion asks for it",
    (host) => {
      const ipam = hostLocal({ ...V4, rangeStart: "10.77.0.2", rangeEnd: "10.77.0.2" });
      return wholeLife(host, { ...KEYS, ipam }, async () => {
        const status = (keys: object) =>
          host.unchangedBy(() => hostCall(host, "STATUS", { ...KEYS, ipam: { ...ipam, ...keys } }), SETTLES);
        const calm = await status({});
        expect(`${calm}`).toStartWith('exit code 0, stdout ""');
        expect(calm.stderr).toMatch(
          /^host-local: no IP addresses available in range set 0 \(.*\): 1 of 1 held in .*\n$/,
        );
        expect((await status({ statusReportsExhaustion: true })).json()).toMatchObject({
          code: 50,
          msg: expect.stringMatching(/^no IP addresses available in range set 0 .*: 1 of 1 held in /),
        });
      });
    },
  );
});
