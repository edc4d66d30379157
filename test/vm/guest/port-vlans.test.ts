/** The VLANs that a container's port gets, as `bridge vlan` shows them (rules B5, B6, B9, B10, B15). */
import { expect, test } from "bun:test";
import { BRIDGE, linkNames, shownLink, wholeLife } from "../../kernel/bridge/network.ts";
import { rows } from "../../support/rows.ts";
import { describeOnHost, layer2, vlansOf } from "./vlan-network.ts";

/** Keys of the configuration, and what the port carries then. */
const CASES = rows(`
  B15: an access VLAN => {"vlan": 100} => ["100 pvid untagged"]
  B5: the last VLAN => {"vlan": 4094} => ["4094 pvid untagged"]
  B15: VLAN 1 => {"vlan": 1} => ["1 pvid untagged"]
  B9: an access VLAN beside the default one => {"vlan": 100, "preserveDefaultVlan": true} => ["1 untagged", "100 pvid untagged"]
  B9: VLAN 1, preserved => {"vlan": 1, "preserveDefaultVlan": true} => ["1 pvid untagged"]
  B15: a trunk of single VLANs => {"vlanTrunk": [{"id": 101}, {"id": 200}]} => ["1 pvid untagged", "101", "200"]
  B6: a trunk of a range => {"vlanTrunk": [{"minID": 10, "maxID": 19}]} => ["1 pvid untagged", "10-19"]
  B6: a range of one => {"vlanTrunk": [{"minID": 10, "maxID": 10}]} => ["1 pvid untagged", "10"]
  B6: range and VLAN in one item => {"vlanTrunk": [{"minID": 10, "maxID": 12, "id": 40}]} => ["1 pvid untagged", "10-12", "40"]
  B6: unsorted and overlapping items => {"vlanTrunk": [{"id": 300}, {"minID": 25, "maxID": 30}, {"id": 7}, {"minID": 20, "maxID": 26}, {"id": 31}, {"id": 300}]} => ["1 pvid untagged", "7", "20-31", "300"]
  B6: all VLANs => {"vlanTrunk": [{"minID": 1, "maxID": 4094}]} => ["1 pvid untagged", "2-4094"]
  B9: a trunk, default VLAN preserved => {"vlanTrunk": [{"id": 101}], "preserveDefaultVlan": true} => ["1 pvid untagged", "101"]
  B15: access VLAN and trunk => {"vlan": 100, "vlanTrunk": [{"id": 7}, {"minID": 200, "maxID": 202}]} => ["7", "100 pvid untagged", "200-202"]
  B9: access VLAN, trunk and default VLAN => {"vlan": 100, "vlanTrunk": [{"id": 200}], "preserveDefaultVlan": true} => ["1 untagged", "100 pvid untagged", "200"]
  B15: the access VLAN amid its trunk => {"vlan": 100, "vlanTrunk": [{"minID": 99, "maxID": 101}]} => ["99", "100 pvid untagged", "101"]
  B15: VLAN 1 tagged, another one untagged => {"vlan": 100, "vlanTrunk": [{"id": 1}], "preserveDefaultVlan": true} => ["1", "100 pvid untagged"]
  B10: an empty trunk => {"vlanTrunk": []} => ["1 pvid untagged"]
  B10: a trunk of nothing => {"vlanTrunk": [{}]} => ["1 pvid untagged"]
`);

/** The same on bridges whose default VLAN is another one, or none. */
const DEFAULT_CASES = rows<[string, string, string, string]>(`
  B9: another default VLAN goes => 5 => {"vlan": 100} => ["100 pvid untagged"]
  B9: another default VLAN stays => 5 => {"vlan": 100, "preserveDefaultVlan": true} => ["5 untagged", "100 pvid untagged"]
  B15: a trunk's untagged VLAN is 1 => 5 => {"vlanTrunk": [{"id": 200}]} => ["1 pvid untagged", "200"]
  B9: no default VLAN => 0 => {"vlan": 100} => ["100 pvid untagged"]
  B9: no default VLAN to preserve => 0 => {"vlan": 100, "preserveDefaultVlan": true} => ["100 pvid untagged"]
`);

describeOnHost("a port's VLANs", (host) => {
  const bridgeData = async () => (await shownLink(host, BRIDGE)).linkinfo?.info_data;

  test.each([...CASES])("%s", async (_what, keys, vlans) => {
    await wholeLife(host, layer2(JSON.parse(keys)), async ({ veth }) => {
      expect(await vlansOf(host, veth)).toEqual(JSON.parse(vlans));
      expect(await vlansOf(host, BRIDGE)).toEqual(["1 pvid untagged"]);
      expect(await bridgeData()).toMatchObject({ vlan_filtering: 1, vlan_default_pvid: 1 });
    });
    expect(await linkNames(host, "type veth")).toEqual([]);
  });

  test.each([...DEFAULT_CASES])("%s", async (_what, defaultVlan, keys, vlans) => {
    await host.run(`ip link add ${BRIDGE} type bridge vlan_filtering 1 vlan_default_pvid ${defaultVlan}`);
    await wholeLife(host, layer2(JSON.parse(keys)), async ({ veth }) =>
      expect(await vlansOf(host, veth)).toEqual(JSON.parse(vlans)),
    );
  });

  test("B10: without VLAN keys the bridge does not filter", () =>
    wholeLife(host, layer2(), async () => expect(await bridgeData()).toMatchObject({ vlan_filtering: 0 })));

  test("B13, B14: isolation, hairpin, mtu and MAC go with VLANs", () => {
    const mac = "02:00:5e:10:00:01";
    const port = { portIsolation: true, hairpinMode: true, mtu: 1400, runtimeConfig: { mac } };
    const keys = layer2({ vlan: 100, vlanTrunk: [{ id: 7 }], ...port });
    return wholeLife(host, keys, async ({ namespace, veth }) => {
      expect(await vlansOf(host, veth)).toEqual(["7", "100 pvid untagged"]);
      const shown = await host.json<object[]>(`bridge -d -j link show dev ${veth}`);
      expect(shown).toMatchObject([{ isolated: true, hairpin: true, mtu: 1400, master: BRIDGE }]);
      const inside = await shownLink(namespace, "eth0");
      expect(inside).toMatchObject({ address: mac, mtu: 1400, operstate: "UP" });
    });
  });
});
