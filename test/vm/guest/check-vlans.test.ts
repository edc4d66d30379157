/** CHECK of VLANs: each single loss has its own error, and its repair makes CHECK pass again (G17). */
import { expect, test } from "bun:test";
import { attach, BRIDGE, hostLocal, V4, V6, wholeLife } from "../../kernel/bridge/network.ts";
import { expected, rows } from "../../support/rows.ts";
import { describeOnHost, gatewayPort } from "./vlan-network.ts";

const GATEWAY = `${BRIDGE}.10`;
const KEYS = {
  vlan: 10,
  vlanTrunk: [{ id: 20 }, { minID: 30, maxID: 32 }],
  isGateway: true,
  ipam: hostLocal(V4, V6),
};
const ADDRESSES = `ip addr add 10.77.0.1/24 dev ${GATEWAY}; ip addr add fd77::1/64 dev ${GATEWAY}`;
const NOT_UNTAGGED = "bridge port PORT does not carry VLAN 10 as its untagged VLAN any more";

/** What is done, what repairs it, and what CHECK says in between. PORT and GWPORT stand for the bridge's ports. */
const MUTATIONS = rows<[string, string, string, string]>(`
  the access VLAN deleted => bridge vlan del vid 10 dev PORT => bridge vlan add vid 10 pvid untagged dev PORT => ${NOT_UNTAGGED}
  the access VLAN no longer the port's own => bridge vlan add vid 10 untagged dev PORT => bridge vlan add vid 10 pvid untagged dev PORT => ${NOT_UNTAGGED}
  another VLAN the port's own => bridge vlan add vid 99 pvid untagged dev PORT => bridge vlan del vid 99 dev PORT; bridge vlan add vid 10 pvid untagged dev PORT => ${NOT_UNTAGGED}
  the access VLAN tagged => bridge vlan add vid 10 pvid dev PORT => bridge vlan add vid 10 pvid untagged dev PORT => ${NOT_UNTAGGED}
  a VLAN of the trunk deleted => bridge vlan del vid 20 dev PORT => bridge vlan add vid 20 dev PORT => bridge port PORT does not carry VLAN 20 any more
  a VLAN deleted amid a range => bridge vlan del vid 31 dev PORT => bridge vlan add vid 31 dev PORT => bridge port PORT does not carry VLAN 31 any more
  a VLAN of the trunk untagged => bridge vlan add vid 20 untagged dev PORT => bridge vlan add vid 20 dev PORT => bridge port PORT does not tag VLAN 20 any more
  filtering off => ip link set ${BRIDGE} type bridge vlan_filtering 0 => ip link set ${BRIDGE} type bridge vlan_filtering 1 => bridge br0 does not filter by VLAN any more
  gateway down => ip link set ${GATEWAY} down => ip link set ${GATEWAY} up; ip addr add fd77::1/64 dev ${GATEWAY} => /^VLAN gateway interface br0\\.10 is down(; gateway address fd77::1\\/64 is missing .*)?$/
  gateway address lost => ip addr del 10.77.0.1/24 dev ${GATEWAY} => ip addr add 10.77.0.1/24 dev ${GATEWAY} => /^gateway address 10\\.77\\.0\\.1\\/24 is missing on br0\\.10: it has fd77::1\\/64/
  IPv6 gateway address lost => ip addr del fd77::1/64 dev ${GATEWAY} => ip addr add fd77::1/64 dev ${GATEWAY} => /^gateway address fd77::1\\/64 is missing on br0\\.10: it has 10\\.77\\.0\\.1\\/24/
  gateway's port down => ip link set GWPORT down => ip link set GWPORT up => bridge port of VLAN gateway br0.10: GWPORT is down
  gateway's port without its VLAN => bridge vlan del vid 10 dev GWPORT => bridge vlan add vid 10 pvid untagged dev GWPORT => bridge port GWPORT of VLAN gateway br0.10 does not carry VLAN 10 as its untagged VLAN any more
  gateway's port off the bridge => ip link set GWPORT nomaster => ip link set GWPORT master ${BRIDGE}; bridge vlan add vid 10 pvid untagged dev GWPORT => VLAN gateway interface br0.10 is not connected to bridge br0 any more
  gateway renamed => ip link set ${GATEWAY} down; ip link set ${GATEWAY} name gone0 => ip link set gone0 name ${GATEWAY}; ip link set ${GATEWAY} up; ip addr add fd77::1/64 dev ${GATEWAY} => VLAN gateway interface "br0.10" not found: ADD the container again
  something else of the gateway's name => ip link set ${GATEWAY} down; ip link set ${GATEWAY} name gone0; ip link add ${GATEWAY} up type dummy; ${ADDRESSES} => ip link del ${GATEWAY}; ip link set gone0 name ${GATEWAY}; ip link set ${GATEWAY} up; ip addr add fd77::1/64 dev ${GATEWAY} => VLAN gateway interface br0.10 is not connected to bridge br0 any more
`);

describeOnHost("CHECK of VLANs", (host) => {
  test("G17: each loss, and its repair", async () => {
    const one = await attach(host, "c1", KEYS);
    await one.check();
    const gateway = await gatewayPort(host, GATEWAY);
    const named = (text: string) => text.replaceAll("GWPORT", gateway).replaceAll("PORT", one.veth);
    for (const [what, mutation, repair, message] of MUTATIONS) {
      await host.run(named(mutation));
      const found = await one.failure("CHECK", { prevResult: one.result });
      const wanted = expected(named(message));
      const msg = typeof wanted === "string" ? wanted : expect.stringMatching(wanted);
      expect({ what, ...found }).toMatchObject({ what, code: 999, msg });
      await host.run(named(repair));
      await one.check();
    }
    await one.del();
  });

  test("A32: VLANs that others gave the port as well are tolerated", () =>
    wholeLife(host, KEYS, ({ veth }) => host.run(`bridge vlan add vid 77 dev ${veth}`)));
});
