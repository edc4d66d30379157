/** A bridge that is there already and does not filter by VLAN: told to where that harms nobody, else refused (G22). */
import { expect, test } from "bun:test";
import { attach, BRIDGE, IPAM_FILES, prepare, shownLink, wholeLife } from "../../kernel/bridge/network.ts";
import { describeOnHost, reaches, unchanged, vlansOf } from "./vlan-network.ts";

const VLAN_KEYS: [string, object][] = [
  ["vlan", { vlan: 10 }],
  ["vlanTrunk", { vlanTrunk: [{ id: 10 }] }],
  ["an empty vlanTrunk", { vlanTrunk: [] }],
];

describeOnHost("an existing bridge", (host) => {
  const filtering = async () => (await shownLink(host, BRIDGE)).linkinfo?.info_data?.vlan_filtering;

  test.each(VLAN_KEYS)("G22: without ports filters from now on, for %s", async (_what, keys) => {
    await host.run(`ip link add ${BRIDGE} type bridge`);
    await wholeLife(host, { ipam: {}, ...keys }, async () => expect(await filtering()).toBe(1));
  });

  test.each(VLAN_KEYS)("G22: with ports is refused and stays as it is, for %s", async (_what, keys) => {
    const plain = await attach(host, "c1", { isGateway: true });
    const one = await prepare(host, "c2", { isGateway: true, ...keys });
    const msg = `bridge "${BRIDGE}" exists without VLAN filtering and has 1 ports (${plain.veth}): VLANs would not separate anything; use another bridge, or turn it on with: ip link set ${BRIDGE} type bridge vlan_filtering 1`;
    const error = await unchanged(host, () => one.failure("ADD"), [IPAM_FILES]);
    expect(error).toMatchObject({ code: 7, msg });
    expect(await filtering()).toBe(0);
    expect(await one.interfaces()).toEqual(["lo"]);
    await plain.check();

    // The remedy that the error names is one.
    await host.run(`ip link set ${BRIDGE} type bridge vlan_filtering 1`);
    await one.add();
    await one.check();
    expect(await reaches(plain.namespace, "10.77.0.1")).toBe(true);
    await plain.check();
    await one.del();
    await plain.del();
  });

  test("with filtering and ports serves VLANs, and containers without", async () => {
    await host.run(`ip link add ${BRIDGE} type bridge vlan_filtering 1`);
    const [plain, tagged] = [await attach(host, "c1"), await attach(host, "c2", { vlan: 10 })];
    expect(await vlansOf(host, plain.veth)).toEqual(["1 pvid untagged"]);
    expect(await vlansOf(host, tagged.veth)).toEqual(["10 pvid untagged"]);
    expect(await filtering()).toBe(1);
    await plain.del();
    await tagged.del();
  });
});
