/** Links made, changed and removed by us, as `ip` and `bridge` see them. */
import { expect } from "bun:test";
import { parseMac } from "../../../src/net/mac.ts";
import {
  type BridgePort,
  decodeBridgePort,
  encodeBridgePort,
} from "../../../src/netlink/rtnetlink/bridge-port.ts";
import {
  addLink,
  changeLink,
  decodeLink,
  deleteLink,
  dumpLinks,
  getLink,
  interfaceFlag,
  OPERSTATES,
  setLinkUp,
} from "../../../src/netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../../../src/netlink/rtnetlink/veth.ts";
import { Netns } from "../../../src/sys/netns.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTest } from "../../support/host-test.ts";
import { connectHost, connectInside, errorOf, linkNamed } from "./route-connection.ts";

interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly operstate: string;
  readonly address: string;
  readonly master?: string;
  readonly ifalias?: string;
  readonly promiscuity: number;
  readonly link_index?: number;
  readonly link_netnsid?: number;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_slave_kind?: string;
    readonly info_slave_data?: {
      readonly hairpin: boolean;
      readonly isolated: boolean;
      readonly state: string;
    };
  };
}

const mac = (text: string) => parseMac(text) ?? new Uint8Array();
const veth = (name: string, peer: string) =>
  addLink({ name, kind: "veth", data: encodeVethPeer({ name: peer }) });

const ipLink = async (host: { json<T>(command: string): Promise<T> }, name: string): Promise<IpLink> => {
  const [link] = await host.json<IpLink[]>(`ip -j -d link show dev ${name}`);
  if (link === undefined) throw new Error(`ip shows no ${name}`);
  return link;
};

hostTest("a bridge with address and mtu, up, promiscuous, and gone", async (host) => {
  using connection = connectHost();
  connection.call(addLink({ name: "br0", kind: "bridge", mac: mac("02:00:00:00:00:01"), mtu: 1400 }));
  const { index } = linkNamed(connection, "br0");
  expect(await ipLink(host, "br0")).toMatchObject({
    ifindex: index,
    mtu: 1400,
    address: "02:00:00:00:00:01",
    linkinfo: { info_kind: "bridge" },
  });
  const wanted = interfaceFlag.up | interfaceFlag.promisc;
  connection.call(changeLink({ index, flags: wanted, change: wanted }, "set it up"));
  const up = await ipLink(host, "br0");
  expect(up.flags).toContain("UP");
  expect(up.flags).toContain("PROMISC");
  expect(up.promiscuity).toBe(1);
  // One flag is changed, the other stays.
  connection.call(setLinkUp(index, false, "br0"));
  const down = await ipLink(host, "br0");
  expect(down.flags).not.toContain("UP");
  expect(down.flags).toContain("PROMISC");
  connection.call(deleteLink({ name: "br0" }));
  expect(errorOf(() => connection.call(getLink({ name: "br0" })))).toMatchObject({ code: "ENODEV" });
});

hostTest("a veth is born with its peer in another namespace, its master, mtu and addresses", async (host) => {
  const box = await host.addNamespace("box");
  using connection = connectHost();
  using inside = connectInside(box);
  connection.call(addLink({ name: "br0", kind: "bridge" }));
  const bridge = linkNamed(connection, "br0");
  {
    using netns = Netns.open(box.path);
    const peer = { name: "eth0", mtu: 1300, mac: mac("02:00:00:00:00:03"), netnsFd: netns.fd };
    connection.call(
      addLink({
        name: "veth0",
        kind: "veth",
        mtu: 1300,
        mac: mac("02:00:00:00:00:02"),
        master: bridge.index,
        data: encodeVethPeer(peer),
      }),
    );
  }
  const [outer, inner] = [linkNamed(connection, "veth0"), linkNamed(inside, "eth0")];
  expect(await ipLink(host, "veth0")).toMatchObject({
    ifindex: outer.index,
    mtu: 1300,
    address: "02:00:00:00:00:02",
    master: "br0",
    linkinfo: { info_kind: "veth", info_slave_kind: "bridge" },
  });
  const [shown] = await box.json<IpLink[]>("ip -j -d link show dev eth0");
  expect(shown).toMatchObject({ ifindex: inner.index, mtu: 1300, address: "02:00:00:00:00:03" });
  // Each end names the other by its index and its namespace's number.
  expect([outer.peerIndex, inner.peerIndex]).toEqual([inner.index, outer.index]);
  expect(outer.linkNetnsId).toBe((await ipLink(host, "veth0")).link_netnsid as number);
  expect(inner.linkNetnsId).toBe(shown?.link_netnsid as number);

  connection.call(setLinkUp(outer.index, true, "veth0"));
  inside.call(setLinkUp(inner.index, true, "eth0"));
  connection.call(setLinkUp(bridge.index, true, "br0"));
  await eventually("the port is up", async () => (await ipLink(host, "veth0")).operstate === "UP");
  await eventually("so it is for us", () => {
    const { operstate } = linkNamed(connection, "veth0");
    return OPERSTATES[operstate ?? -1] === "up";
  });
  // With one end the other goes.
  connection.call(deleteLink({ index: outer.index }));
  expect(errorOf(() => inside.call(getLink({ name: "eth0" })))).toMatchObject({ code: "ENODEV" });
  connection.call(deleteLink({ index: bridge.index }));
});

hostTest("port settings, master and alias: each change leaves all else alone", async (host) => {
  using connection = connectHost();
  const outcomes = connection.callAll([addLink({ name: "br0", kind: "bridge" }), veth("veth0", "veth1")]);
  expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined]);
  const [bridge, port] = [linkNamed(connection, "br0"), linkNamed(connection, "veth0")];
  const shown = () => ipLink(host, "veth0");

  const set = (settings: BridgePort) =>
    changeLink({ index: port.index, portKind: "bridge", portData: encodeBridgePort(settings) }, "set");

  connection.call(changeLink({ index: port.index, master: bridge.index }, "attach"));
  expect((await shown()).master).toBe("br0");
  connection.call(set({ hairpin: true }));
  expect((await shown()).linkinfo?.info_slave_data).toMatchObject({ hairpin: true, isolated: false });
  connection.call(set({ isolated: true }));
  expect((await shown()).linkinfo?.info_slave_data).toMatchObject({ hairpin: true, isolated: true });
  const seen = linkNamed(connection, "veth0");
  expect(seen.portKind).toBe("bridge");
  expect(decodeBridgePort(seen.portData ?? new Uint8Array())).toMatchObject({
    hairpin: true,
    isolated: true,
  });
  const [listed] = (await host.json<{ ifname: string; hairpin: boolean; isolated: boolean }[]>(
    "bridge -j -d link show dev veth0",
  )) as { hairpin: boolean; isolated: boolean }[];
  expect(listed).toMatchObject({ hairpin: true, isolated: true });

  connection.call(changeLink({ index: port.index, alias: "a net, a container" }, "name the owner"));
  expect(await shown()).toMatchObject({ ifalias: "a net, a container", master: "br0" });
  expect(linkNamed(connection, "veth0").alias).toBe("a net, a container");

  connection.call(changeLink({ index: port.index, master: 0 }, "detach"));
  expect((await shown()).master).toBeUndefined();
  // Settings of a port without a master are refused, and told so.
  const portData = encodeBridgePort({ hairpin: true });
  expect(
    errorOf(() => connection.call(changeLink({ index: port.index, portData, portKind: "bridge" }, "set it"))),
  ).toMatchObject({ code: "EOPNOTSUPP" });
  connection.callAll([deleteLink({ name: "veth0" }), deleteLink({ name: "br0" })]);
});

hostTest("a master and settings as its port do not go together: the kernel refuses both", async (host) => {
  using connection = connectHost();
  connection.callAll([addLink({ name: "br0", kind: "bridge" }), veth("veth0", "veth1")]);
  const [bridge, port] = [linkNamed(connection, "br0"), linkNamed(connection, "veth0")];
  const settings = { portKind: "bridge", portData: encodeBridgePort({ hairpin: true, isolated: true }) };
  const both = changeLink({ index: port.index, master: bridge.index, ...settings }, "attach");
  expect(errorOf(() => connection.call(both))).toMatchObject({ code: "EOPNOTSUPP" });
  expect((await ipLink(host, "veth0")).master).toBeUndefined();
  // One after the other in a datagram will do.
  const outcomes = connection.callAll([
    changeLink({ index: port.index, master: bridge.index }, "attach"),
    changeLink(
      { index: port.index, flags: interfaceFlag.up, change: interfaceFlag.up, ...settings },
      "set up",
    ),
  ]);
  expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined]);
  const shown = await ipLink(host, "veth0");
  expect(shown.master).toBe("br0");
  expect(shown.flags).toContain("UP");
  expect(shown.linkinfo?.info_slave_data).toMatchObject({ hairpin: true, isolated: true });
  connection.callAll([deleteLink({ name: "veth0" }), deleteLink({ name: "br0" })]);
});

hostTest("a link gets another name, but not one that is taken", async (host) => {
  using connection = connectHost();
  connection.call(veth("veth0", "veth1"));
  const { index } = linkNamed(connection, "veth0");
  expect(errorOf(() => connection.call(changeLink({ index, name: "veth1" }, "rename it")))).toMatchObject({
    code: "EEXIST",
    request: "rename it",
  });
  connection.call(changeLink({ index, name: "net.0" }, "rename it"));
  expect((await ipLink(host, "net.0")).ifindex).toBe(index);
  expect(linkNamed(connection, "net.0").index).toBe(index);
  expect(errorOf(() => connection.call(getLink({ name: "veth0" })))).toMatchObject({ code: "ENODEV" });
  connection.call(deleteLink({ index }));
});

hostTest("dumps by master and by kind hold those links alone", async () => {
  using connection = connectHost();
  connection.callAll([
    addLink({ name: "br0", kind: "bridge" }),
    addLink({ name: "br1", kind: "bridge" }),
    veth("a0", "a1"),
    veth("b0", "b1"),
  ]);
  const [first, second] = [linkNamed(connection, "br0"), linkNamed(connection, "br1")];
  connection.callAll([
    changeLink({ index: linkNamed(connection, "a0").index, master: first.index }, "attach"),
    changeLink({ index: linkNamed(connection, "b0").index, master: second.index }, "attach"),
    changeLink({ index: linkNamed(connection, "b1").index, master: second.index }, "attach"),
  ]);
  const names = (filter: { master?: number; kind?: string }) =>
    connection.dump(dumpLinks(filter), ({ payload }) => decodeLink(payload).name).sort();
  expect(names({ master: first.index })).toEqual(["a0"]);
  expect(names({ master: second.index })).toEqual(["b0", "b1"]);
  expect(names({ kind: "bridge" })).toEqual(["br0", "br1"]);
  expect(names({ kind: "veth" })).toEqual(["a0", "a1", "b0", "b1"]);
  expect(names({})).toEqual(["a0", "a1", "b0", "b1", "br0", "br1", "lo"]);
  connection.callAll(["a0", "b0", "br0", "br1"].map((name) => deleteLink({ name })));
});

hostTest("a refusal carries the kernel's errno, words and offset", async () => {
  using connection = connectHost();
  expect(errorOf(() => connection.call(addLink({ name: "x0", kind: "nonsense" })))).toMatchObject({
    code: "EOPNOTSUPP",
    ack: { text: "Unknown device type" },
    message:
      'cannot add nonsense "x0": operation not supported (EOPNOTSUPP); the kernel says: Unknown device type',
  });
  expect(errorOf(() => connection.call(addLink({ name: "lo", kind: "bridge" })))).toMatchObject({
    code: "EEXIST",
  });
  expect(errorOf(() => connection.call(deleteLink({ name: "nothing" })))).toMatchObject({
    code: "ENODEV",
    request: 'delete link "nothing"',
  });
  // Strict checking: an attribute that no getlink knows is refused, not ignored; its place is told.
  const request = getLink({ index: 1 });
  const stray = Uint8Array.fromHex("0800c80001000000");
  const payload = Uint8Array.from([...request.payload, ...stray]);
  expect(errorOf(() => connection.call({ ...request, payload }))).toMatchObject({
    code: "EINVAL",
    ack: { offset: 16 + request.payload.length },
  });
  // The connection is as good as before.
  expect(linkNamed(connection, "lo").index).toBe(1);
});
