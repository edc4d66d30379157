/** src/netlink's messages about VLANs, on a kernel that filters by them, as `bridge` and `ip` see it. */
import { expect } from "bun:test";
import { decodeBridge, encodeBridge } from "../../../src/netlink/rtnetlink/bridge.ts";
import { addLink, changeLink, deleteLink } from "../../../src/netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../../../src/netlink/rtnetlink/veth.ts";
import {
  addPortVlans,
  decodePortVlans,
  deletePortVlans,
  dumpPortVlans,
  type PortVlan,
} from "../../../src/netlink/rtnetlink/vlan.ts";
import { connectHost, errorOf, linkNamed } from "../../kernel/netlink/route-connection.ts";
import { hostTest } from "../../support/host-test.ts";
import { vlansOf } from "./vlan-network.ts";

const tagged = (vid: number): PortVlan => ({ vid, pvid: false, untagged: false });

hostTest(
  "a port's VLANs: added one by one and in ranges, listed, deleted; the bridge's own",
  async (host) => {
    using connection = connectHost();
    connection.call(
      addLink({
        name: "br0",
        kind: "bridge",
        data: encodeBridge({ vlanFiltering: true, vlanDefaultPvid: 7 }),
      }),
    );
    connection.call(addLink({ name: "veth0", kind: "veth", data: encodeVethPeer({ name: "eth0" }) }));
    const [bridge, port] = [linkNamed(connection, "br0"), linkNamed(connection, "veth0")];
    expect(decodeBridge(bridge.data ?? new Uint8Array())).toMatchObject({
      vlanFiltering: true,
      vlanDefaultPvid: 7,
    });
    expect(errorOf(() => connection.call(addPortVlans(port.index, [{ vid: 10 }], "veth0")))).toMatchObject({
      code: "EOPNOTSUPP",
    });
    connection.call(changeLink({ index: port.index, master: bridge.index }, "attach"));
    expect(await vlansOf(host, "veth0")).toEqual(["7 pvid untagged"]);

    connection.call(deletePortVlans(port.index, [{ vid: 1, end: 4094 }], "veth0"));
    expect(await vlansOf(host, "veth0")).toEqual([]);
    const wanted: PortVlan[] = [
      { vid: 10, pvid: true, untagged: true },
      { vid: 100, end: 110 },
      { vid: 4094 },
    ];
    connection.call(addPortVlans(port.index, wanted, "veth0"));
    connection.call(addPortVlans(bridge.index, [{ vid: 10 }], "br0", true));
    expect(await vlansOf(host, "veth0")).toEqual(["10 pvid untagged", "100-110", "4094"]);
    expect(await vlansOf(host, "br0")).toEqual(["7 pvid untagged", "10"]);

    const listed = () => connection.dump(dumpPortVlans(), ({ payload }) => decodePortVlans(payload));
    const range = Array.from({ length: 11 }, (_, at) => tagged(100 + at));
    expect(listed()).toEqual([
      { index: bridge.index, vlans: [{ vid: 7, pvid: true, untagged: true }, tagged(10)] },
      { index: port.index, vlans: [{ vid: 10, pvid: true, untagged: true }, ...range, tagged(4094)] },
    ]);
    connection.call(deletePortVlans(port.index, [{ vid: 100, end: 105 }], "veth0"));
    connection.call(deletePortVlans(bridge.index, [{ vid: 10 }], "br0", true));
    expect(await vlansOf(host, "veth0")).toEqual(["10 pvid untagged", "106-110", "4094"]);
    expect(await vlansOf(host, "br0")).toEqual(["7 pvid untagged"]);
    connection.callAll([deleteLink({ name: "veth0" }), deleteLink({ name: "br0" })]);
  },
);

hostTest("all VLANs on a port: one message longer than any other, whole", async (host) => {
  using connection = connectHost();
  connection.call(addLink({ name: "br0", kind: "bridge" }));
  connection.call(addLink({ name: "veth0", kind: "veth", data: encodeVethPeer({ name: "eth0" }) }));
  const [bridge, port] = [linkNamed(connection, "br0"), linkNamed(connection, "veth0")];
  // Filtering can be turned on later.
  const data = encodeBridge({ vlanFiltering: true });
  connection.call(changeLink({ index: bridge.index, kind: "bridge", data }, "filter"));
  connection.call(changeLink({ index: port.index, master: bridge.index }, "attach"));
  connection.call(addPortVlans(port.index, [{ vid: 2, end: 4094 }], "veth0"));
  expect(await vlansOf(host, "veth0")).toEqual(["1 pvid untagged", "2-4094"]);
  const ports = connection.dump(dumpPortVlans(), ({ payload }) => decodePortVlans(payload));
  expect(ports.find(({ index }) => index === port.index)?.vlans.map(({ vid }) => vid)).toEqual(
    Array.from({ length: 4094 }, (_, at) => at + 1),
  );
  connection.callAll([deleteLink({ name: "veth0" }), deleteLink({ name: "br0" })]);
});
