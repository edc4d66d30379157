/** Real messages are decoded into the objects of their commands, and encoded again. */
import { describe, expect, test } from "bun:test";
import { formatIp, parseIp } from "../../../src/net/ip.ts";
import { formatMac, parseMac } from "../../../src/net/mac.ts";
import { formatPrefix, parsePrefix } from "../../../src/net/prefix.ts";
import { decode } from "../../../src/netlink/decode.ts";
import { encode } from "../../../src/netlink/encode.ts";
import type { Message } from "../../../src/netlink/message.ts";
import { addressOf, decodeAddress, encodeAddress } from "../../../src/netlink/rtnetlink/address.ts";
import { decodeBridge, encodeBridge } from "../../../src/netlink/rtnetlink/bridge.ts";
import { decodeBridgePort, encodeBridgePort } from "../../../src/netlink/rtnetlink/bridge-port.ts";
import { decodeLink, LINK, linkOf, OPERSTATES } from "../../../src/netlink/rtnetlink/link.ts";
import { linkSettingsOf } from "../../../src/netlink/rtnetlink/link-settings.ts";
import { NEIGHBOUR } from "../../../src/netlink/rtnetlink/neighbour.ts";
import { decodeRoute, encodeRoute } from "../../../src/netlink/rtnetlink/route.ts";
import { encodeVethPeer, VETH } from "../../../src/netlink/rtnetlink/veth.ts";
import { decodePortVlans } from "../../../src/netlink/rtnetlink/vlan.ts";
import { readGolden, readGoldens, repliesOf, requestsOf } from "../../golden/golden.ts";
import { objectName, type Tree, treeOf, treeOfAttributes } from "./canonical.ts";

const goldens = readGoldens("rtnetlink");

/** The one request of a golden. */
function requestOf(name: string): Message {
  const requests = requestsOf(readGolden("rtnetlink", name));
  expect(requests.length).toBe(1);
  return requests[0] as Message;
}

/** The replies of a golden without acknowledgements and ends of dumps. */
const objectsOf = (name: string): Message[] =>
  repliesOf(readGolden("rtnetlink", name)).filter(({ type }) => type >= 16);

const ip = (text: string) => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
};
const prefix = (text: string) => {
  const value = parsePrefix(text);
  if (value === undefined) throw new Error(text);
  return value;
};
const mac = (text: string) => parseMac(text) ?? new Uint8Array();

describe("links", () => {
  const decoded = (name: string) => decodeLink(requestOf(name).payload);
  const blank = { family: 0, hardwareType: 0, index: 0, flags: 0, change: 0 };

  test("a bridge to be created, with its options", () => {
    const link = decoded("link-add-bridge");
    expect(link).toMatchObject({
      ...blank,
      name: "br0",
      mac: mac("02:00:00:00:00:01"),
      mtu: 1400,
      kind: "bridge",
    });
    expect(decodeBridge(link.data ?? new Uint8Array())).toEqual({ vlanFiltering: true });
    expect(decodeBridge(decoded("link-add-bridge-default-pvid").data ?? new Uint8Array())).toEqual({
      vlanFiltering: true,
      vlanDefaultPvid: 7,
    });
  });

  test("a veth to be created, its peer in another namespace", () => {
    const link = decoded("link-add-veth");
    expect(link).toMatchObject({ ...blank, name: "veth0", mtu: 1400, master: 2, kind: "veth" });
    const peer = decode(VETH, link.data ?? new Uint8Array()).peer;
    expect(peer).toEqual({ ...blank, name: "eth0", mtu: 1400, mac: mac("02:00:00:00:00:03"), netnsFd: 4 });
  });

  test("a change has only the changed fields", () => {
    expect(decoded("link-set-master")).toEqual({ ...blank, index: 4, master: 2 });
    expect(decoded("link-set-nomaster")).toEqual({ ...blank, index: 4, master: 0 });
    expect(decoded("link-set-up")).toEqual({ ...blank, index: 3, flags: 1, change: 1 });
    expect(decoded("link-set-down")).toEqual({ ...blank, index: 3, change: 1 });
    expect(decoded("link-set-promisc")).toEqual({ ...blank, index: 2, flags: 0x100, change: 0x100 });
    expect(decoded("link-set-name")).toEqual({ ...blank, index: 2, name: "net1" });
    expect(decoded("link-set-mtu")).toEqual({ ...blank, index: 2, mtu: 1300 });
    expect(decoded("link-set-alias")).toEqual({ ...blank, index: 3, alias: "mynet" });
    expect(decoded("link-del")).toEqual({ ...blank, index: 3 });
  });

  test("a bridge port's settings, in both forms that ip and bridge use", () => {
    const settings = { hairpin: true, isolated: true };
    expect(decodeBridgePort(decoded("link-set-bridge-slave").portData ?? new Uint8Array())).toEqual(settings);
    expect(decodeBridgePort(decoded("bridge-link-set").bridgePort ?? new Uint8Array())).toEqual(settings);
  });

  test("a listing: every link with the fields that plugins use", () => {
    const links = objectsOf("link-show").map(({ payload }) => decodeLink(payload));
    const common = { family: 0, mtu: 1500, promiscuity: 0, change: 0 };
    expect(links.map(({ name }) => name)).toEqual(["lo", "br0", "eth0", "veth0"]);
    expect(links[0]).toMatchObject({ ...common, index: 1, hardwareType: 772, flags: 0x10049, mtu: 65536 });
    expect(links[1]).toMatchObject({ ...common, index: 2, hardwareType: 1, kind: "bridge" });
    expect(decodeBridge(links[1]?.data ?? new Uint8Array()).vlanFiltering).toBe(false);
    expect(links[2]).toMatchObject({ ...common, index: 3, kind: "veth", peerIndex: 4 });
    expect(links[2]).not.toContainKeys(["linkNetnsId", "master", "portKind", "portData", "alias"]);
    expect(links[3]).toMatchObject({ ...common, index: 4, peerIndex: 3, master: 2, promiscuity: 1 });
    expect(links[3]?.portKind).toBe("bridge");
    expect(decodeBridgePort(links[3]?.portData ?? new Uint8Array())).toMatchObject({
      state: 0,
      hairpin: false,
      isolated: false,
    });
    expect(links.map(({ operstate }) => OPERSTATES[operstate ?? -1])).toEqual([
      "unknown",
      "down",
      "down",
      "down",
    ]);
    expect(links.slice(1).map((link) => formatMac(link.mac ?? new Uint8Array()))).toEqual([
      "02:00:00:00:00:01",
      "02:00:00:00:00:03",
      "02:00:00:00:00:02",
    ]);
  });

  test("a peer in another namespace has that namespace's number", () => {
    expect(linkOf(objectsOf("link-show-netns"))).toMatchObject({
      name: "veth0",
      linkNetnsId: 0,
      peerIndex: 2,
    });
  });

  test("family AF_BRIDGE: the port's settings are in IFLA_PROTINFO", () => {
    const link = objectsOf("bridge-link-show").map(({ payload }) => decodeLink(payload))[0];
    expect(link).toMatchObject({ family: 7, name: "veth0", master: 2 });
    expect(decodeBridgePort(link?.bridgePort ?? new Uint8Array())).toMatchObject({ hairpin: true });
  });
});

describe("addresses", () => {
  const decoded = (name: string) => decodeAddress(requestOf(name).payload);
  const v4 = { index: 2, prefix: prefix("10.0.0.2/24"), flags: 0, scope: 0 };
  const v6 = { ...v4, prefix: prefix("fd00::2/64") };

  test("requests", () => {
    expect(decoded("addr-add")).toMatchObject({ ...v4, broadcast: ip("10.0.0.255") });
    expect(decoded("addr-add-noprefixroute")).toMatchObject({ ...v4, flags: 0x200 });
    expect(decoded("addr-add-peer")).toMatchObject({
      ...v4,
      prefix: prefix("10.0.0.2/32"),
      peer: ip("10.0.0.9"),
    });
    expect(decoded("addr-add-label")).toMatchObject({ ...v4, label: "eth0:1" });
    expect(decoded("addr-add-v6")).toMatchObject(v6);
    expect(decoded("addr-add-v6-nodad")).toMatchObject({ ...v6, flags: 0x2 });
    expect(decoded("addr-add-v6-nodad-noprefixroute")).toMatchObject({ ...v6, flags: 0x202 });
    expect(decoded("addr-del")).toMatchObject(v4);
    expect(decoded("addr-del-v6")).toMatchObject(v6);
  });

  test("a listing", () => {
    const addressesOf = (index: number) =>
      repliesOf(readGolden("rtnetlink", "addr-show")).flatMap((message) => addressOf(message, index) ?? []);
    const addresses = addressesOf(2);
    expect(addresses).toMatchObject([
      { index: 2, prefix: prefix("10.0.0.2/24"), flags: 0x80, label: "eth0" },
      { index: 2, prefix: prefix("10.1.0.2/32"), flags: 0x80, label: "eth0", peer: ip("10.1.0.9") },
      { index: 2, prefix: prefix("fd00::2/64"), flags: 0x282 },
    ]);
    expect(addresses[0]).not.toContainKey("peer");
    expect(addressesOf(3)).toEqual([]);
  });
});

describe("routes", () => {
  const decoded = (name: string) => decodeRoute(requestOf(name).payload);
  const fixed = { table: 254, protocol: 3, scope: 0, type: 1, flags: 0 };
  const v4 = { ...fixed, dst: prefix("10.9.0.0/16"), gateway: ip("10.0.0.1") };
  const v6 = { ...fixed, dst: prefix("fd09::/48"), gateway: ip("fd00::1") };
  const deletion = { ...fixed, protocol: 0, scope: 255, type: 0 };

  test("requests", () => {
    expect(decoded("route-add-via")).toMatchObject(v4);
    expect(decoded("route-add-default")).toMatchObject({ ...v4, dst: prefix("0.0.0.0/0") });
    expect(decoded("route-add-metric")).toMatchObject({ ...v4, index: 2, priority: 50 });
    expect(decoded("route-add-table")).toMatchObject({ ...v4, table: 1000 });
    expect(decoded("route-add-table-low")).toMatchObject({ ...v4, table: 100 });
    expect(decoded("route-add-link")).toMatchObject({ ...fixed, dst: v4.dst, index: 2, scope: 253 });
    expect(decoded("route-add-mtu")).toMatchObject({ ...v4, mtu: 1300, advmss: 1200 });
    expect(decoded("route-add-src")).toMatchObject({ ...v4, preferredSource: ip("10.0.0.2") });
    expect(decoded("route-add-v6")).toMatchObject({ ...v6, index: 2, priority: 50 });
    expect(decoded("route-add-v6-default")).toMatchObject({ ...v6, dst: prefix("::/0") });
    expect(decoded("route-prepend")).toMatchObject(v4);
    expect(decoded("route-del")).toMatchObject({ ...deletion, dst: v4.dst });
    expect(decoded("route-del-via")).toMatchObject({
      ...deletion,
      dst: v4.dst,
      gateway: v4.gateway,
      priority: 50,
    });
    expect(decoded("route-del-v6")).toMatchObject({ ...deletion, scope: 0, dst: v6.dst });
  });

  test("a route for one source network keeps its length and, unread, its address", () => {
    const route = decoded("route-add-v6-from");
    expect(route).toMatchObject({ ...v6, sourceLength: 64, unknown: [{ type: 2 }] });
    expect(route.unknown?.[0]?.payload.toHex()).toBe("fd080000000000000000000000000000");
  });

  test("a listing of many kinds of routes", () => {
    const routes = objectsOf("route-show").map(({ payload }) => decodeRoute(payload));
    expect(routes).toMatchObject([
      { dst: prefix("0.0.0.0/0"), gateway: ip("10.0.0.1"), index: 2, protocol: 3 },
      { dst: prefix("10.0.0.0/24"), preferredSource: ip("10.0.0.2"), protocol: 2, scope: 253 },
      // Through an IPv6 neighbour, RTA_VIA.
      { dst: prefix("10.5.0.0/16"), index: 2, unknown: [{ type: 18 }] },
      // Two paths, RTA_MULTIPATH.
      { dst: prefix("10.6.0.0/16"), multipath: expect.anything() },
      // Unreachable.
      { dst: prefix("10.7.0.0/16"), type: 7 },
      { dst: prefix("10.8.0.0/16"), tos: 0x10, scope: 253 },
      {
        dst: prefix("10.9.0.0/16"),
        gateway: ip("10.0.0.1"),
        preferredSource: ip("10.0.0.2"),
        priority: 50,
        mtu: 1300,
        advmss: 1200,
        // RTAX_LOCK.
        unknownMetrics: [{ type: 1 }],
      },
    ]);
    for (const { table } of routes) expect(table).toBe(254);
  });

  test("tables above 255 and IPv6", () => {
    expect(objectsOf("route-show-table").map(({ payload }) => decodeRoute(payload))).toMatchObject([
      { dst: prefix("10.9.0.0/16"), table: 1000 },
    ]);
    const routes = objectsOf("route-show-v6").map(({ payload }) => decodeRoute(payload));
    expect(routes.map(({ dst, gateway }) => [formatPrefix(dst), gateway && formatIp(gateway)])).toEqual([
      ["fd00::/64", undefined],
      ["fd09::/48", "fd00::1"],
      ["::/0", "fd00::1"],
    ]);
    expect(routes[1]).toMatchObject({ sourceLength: 64, mtu: 1300, priority: 50 });
  });
});

test("neighbours", () => {
  const entry = { index: 2, family: 2, state: 0x80, flags: 0, type: 0, address: ip("10.0.0.9") };
  const hardware = { mac: mac("02:00:00:00:00:09") };
  expect(decode(NEIGHBOUR, requestOf("neigh-add").payload)).toEqual({ ...entry, ...hardware });
  expect(decode(NEIGHBOUR, requestOf("neigh-del").payload)).toEqual(entry);
  const v6 = { ...entry, family: 10, address: ip("fd00::9") };
  expect(decode(NEIGHBOUR, requestOf("neigh-del-v6").payload)).toEqual(v6);
  // IPv6 creates entries for multicast, which ip leaves out.
  const shown = objectsOf("neigh-show").map(({ payload }) => decode(NEIGHBOUR, payload));
  expect(shown.filter(({ state }) => state === 0x80)).toMatchObject([
    { ...entry, ...hardware, type: 1, unknown: expect.anything() },
    { ...v6, ...hardware, type: 1, unknown: expect.anything() },
  ]);
});

describe("VLANs", () => {
  test("requests", () => {
    const decoded = (name: string) => decodePortVlans(requestOf(name).payload);
    const plain = { pvid: false, untagged: false };
    expect(decoded("vlan-add")).toEqual({ index: 4, vlans: [{ vid: 10, pvid: true, untagged: true }] });
    expect(decoded("vlan-add-range")).toEqual({ index: 4, vlans: [{ vid: 100, end: 110, ...plain }] });
    expect(decoded("vlan-add-self")).toEqual({ index: 2, vlans: [{ vid: 10, ...plain }] });
    expect(decoded("vlan-del")).toEqual({ index: 4, vlans: [{ vid: 1, ...plain }] });
    expect(decoded("vlan-del-range")).toEqual({ index: 4, vlans: [{ vid: 100, end: 110, ...plain }] });
  });

  test("listings: VLAN by VLAN, and in ranges", () => {
    const plain = { pvid: false, untagged: false };
    const bridge = { index: 2, vlans: [{ vid: 7, pvid: true, untagged: true }] };
    const [first, second] = [
      { vid: 7, pvid: false, untagged: true },
      { vid: 10, pvid: true, untagged: true },
    ];
    const last = { vid: 4094, ...plain };
    const single = Array.from({ length: 11 }, (_, index) => ({ vid: 100 + index, ...plain }));
    const listed = (name: string) => objectsOf(name).map(({ payload }) => decodePortVlans(payload));
    expect(listed("vlan-filtering-show")).toEqual([
      bridge,
      { index: 4, vlans: [first, second, ...single, last] },
    ]);
    expect(listed("vlan-filtering-show-ranges")).toEqual([
      bridge,
      { index: 4, vlans: [first, second, { vid: 100, end: 110, ...plain }, last] },
    ]);
  });

  test("a bridge that filters, with its own default VLAN", () => {
    const link = linkOf(objectsOf("vlan-filtering-link"));
    expect(decodeBridge(link?.data ?? new Uint8Array())).toMatchObject({
      vlanFiltering: true,
      vlanDefaultPvid: 7,
    });
  });

  test("a listing of ports without VLANs", () => {
    const ports = objectsOf("vlan-show").map(({ payload }) => decodePortVlans(payload));
    expect(ports).toEqual([
      { index: 2, vlans: [] },
      { index: 4, vlans: [] },
    ]);
  });
});

test("the settings of a link", () => {
  // The tool gets both ends of the pair; the container's is the first.
  expect(linkSettingsOf(objectsOf("link-get"))).toMatchObject({
    name: "eth0",
    mac: mac("02:00:00:00:00:03"),
    mtu: 1500,
    txQLen: 1000,
    promiscuity: 0,
    minMtu: 68,
    maxMtu: 65535,
  });
});

describe("decoded and encoded again", () => {
  const codecs = {
    link: { decode: decodeLink, again: (payload: Uint8Array) => encode(LINK, decodeLink(payload)) },
    address: { decode: decodeAddress, again: (payload: Uint8Array) => encodeAddress(decodeAddress(payload)) },
    route: { decode: decodeRoute, again: (payload: Uint8Array) => encodeRoute(decodeRoute(payload)) },
    neighbour: {
      decode: (payload: Uint8Array) => decode(NEIGHBOUR, payload),
      again: (payload: Uint8Array) => encode(NEIGHBOUR, decode(NEIGHBOUR, payload)),
    },
  };
  /** Dumps of addresses and routes of both families have no address to decode. */
  const ofAnyFamily = ({ type, payload }: Message) =>
    (objectName(type) === "address" || objectName(type) === "neighbour") && payload.length <= 12;
  const all = goldens.flatMap((golden) =>
    [...requestsOf(golden), ...repliesOf(golden)]
      .filter((message) => message.type >= 16 && !ofAnyFamily(message))
      .map((message) => [golden.name, message] as const),
  );

  test.each(all)("%s: the same object", (_, message) => {
    const { decode, again } = codecs[objectName(message.type)];
    expect(meaning(decode(again(message.payload)))).toEqual(meaning(decode(message.payload)));
  });

  test.each(all)("%s: the same attributes", (_, message) => {
    const payload = codecs[objectName(message.type)].again(message.payload);
    expect(treeOf({ type: message.type, payload })).toEqual(withoutRepetition(message));
  });

  test("the data of kinds: the same attributes", () => {
    for (const [, message] of all) {
      if (objectName(message.type) !== "link") continue;
      const { kind, data, portKind, portData, bridgePort } = decodeLink(message.payload);
      if (kind === "bridge" && data !== undefined)
        expect(treeOfAttributes(encodeBridge(decodeBridge(data)))).toEqual(treeOfAttributes(data));
      for (const port of [portKind === "bridge" ? portData : undefined, bridgePort]) {
        if (port === undefined) continue;
        expect(treeOfAttributes(encodeBridgePort(decodeBridgePort(port)))).toEqual(treeOfAttributes(port));
      }
      const peer = kind === "veth" && data !== undefined ? decode(VETH, data).peer : undefined;
      if (peer !== undefined) expect(decode(VETH, encodeVethPeer(peer)).peer).toEqual(peer);
    }
  });
});

/** An object without the fields that repeat `prefix`, `flags`, `dst` or `table`. */
function meaning(object: object): object {
  const { shortFlags, longFlags, shortTable, longTable, local, remote, destination, ...rest } =
    object as Record<string, unknown>;
  return rest;
}

/**
 * The tree of a message as the codecs write it. The kernel writes some values both in the header and in an attribute, the
 * encoders only once.
 */
function withoutRepetition(message: Message): Tree {
  const tree = treeOf(message);
  const header = Uint8Array.fromHex(tree.header);
  if (objectName(message.type) === "address") {
    // Flags that fit into the header. IPv6 leaves out IFA_LOCAL, which equals IFA_ADDRESS.
    const short = `${header.subarray(2, 3).toHex()}000000`;
    const attributes = tree.attributes.filter(([type, value]) => type !== 8 || value !== short);
    const own = attributes.find(([type]) => type === 1)?.[1];
    const local = attributes.some(([type]) => type === 2) || own === undefined ? [] : [[2, own] as const];
    // The low eight bits of longer flags are repeated in the header.
    const long = attributes.find(([type]) => type === 8)?.[1];
    if (typeof long === "string") header[2] = Number.parseInt(long.slice(0, 2), 16);
    return {
      header: header.toHex(),
      attributes: [...attributes, ...local].sort(([a], [b]) => a - b),
    };
  }
  if (objectName(message.type) === "route") {
    // The header has room for tables up to 255; for others the kernel writes RT_TABLE_COMPAT there.
    const table = tree.attributes.find(([type]) => type === 15)?.[1];
    const short = typeof table === "string" && table.endsWith("000000");
    if (short) header[4] = Number.parseInt(table.slice(0, 2), 16);
    else if (header[4] === 252) header[4] = 0;
    return {
      header: header.toHex(),
      attributes: tree.attributes.filter(([type]) => type !== 15 || !short),
    };
  }
  return tree;
}
