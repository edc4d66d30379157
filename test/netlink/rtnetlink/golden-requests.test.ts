/** Our requests equal those of `ip` and `bridge` for the same action: type, flags, header and attributes. */
import { describe, expect, test } from "bun:test";
import { parseIp } from "../../../src/net/ip.ts";
import { parseMac } from "../../../src/net/mac.ts";
import { parsePrefix } from "../../../src/net/prefix.ts";
import type { Request } from "../../../src/netlink/connection.ts";
import { flag } from "../../../src/netlink/message.ts";
import {
  addAddress,
  addressFlag,
  deleteAddress,
  dumpAddresses,
} from "../../../src/netlink/rtnetlink/address.ts";
import { encodeBridge } from "../../../src/netlink/rtnetlink/bridge.ts";
import { encodeBridgePort } from "../../../src/netlink/rtnetlink/bridge-port.ts";
import {
  addLink,
  changeLink,
  deleteLink,
  dumpLinks,
  getLink,
  interfaceFlag,
  setLinkUp,
} from "../../../src/netlink/rtnetlink/link.ts";
import { changeLinkSettings, modeFlag } from "../../../src/netlink/rtnetlink/link-settings.ts";
import { deleteNeighbour } from "../../../src/netlink/rtnetlink/neighbour.ts";
import { addRoute, dumpRoutes } from "../../../src/netlink/rtnetlink/route.ts";
import { encodeVethPeer } from "../../../src/netlink/rtnetlink/veth.ts";
import { addPortVlans, deletePortVlans, dumpPortVlans } from "../../../src/netlink/rtnetlink/vlan.ts";
import { readGolden, requestsOf } from "../../golden/golden.ts";
import { attributesIn } from "../attributes.ts";
import { headerLength, type Tree, treeOf } from "./canonical.ts";

function parsed<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a test's own value does not parse");
  return value;
}
const ip = (text: string) => parsed(parseIp(text));
const prefix = (text: string) => parsed(parsePrefix(text));
const mac = (text: string) => parsed(parseMac(text));

const v4 = { dst: prefix("10.9.0.0/16"), gateway: ip("10.0.0.1") };
const v6 = { dst: prefix("fd09::/48"), gateway: ip("fd00::1") };

const SAME: Readonly<Record<string, Request>> = {
  "link-add-bridge": addLink({
    name: "br0",
    kind: "bridge",
    mac: mac("02:00:00:00:00:01"),
    mtu: 1400,
    data: encodeBridge({ vlanFiltering: true }),
  }),
  "link-add-bridge-default-pvid": addLink({
    name: "br0",
    kind: "bridge",
    data: encodeBridge({ vlanFiltering: true, vlanDefaultPvid: 7 }),
  }),
  "link-add-veth": addLink({
    name: "veth0",
    kind: "veth",
    mtu: 1400,
    master: 2,
    data: encodeVethPeer({ name: "eth0", mtu: 1400, mac: mac("02:00:00:00:00:03"), netnsFd: 4 }),
  }),
  "link-set-master": changeLink({ index: 4, master: 2 }, ""),
  "link-set-nomaster": changeLink({ index: 4, master: 0 }, ""),
  "link-set-up": setLinkUp(3, true, "veth0"),
  "link-set-down": setLinkUp(3, false, "veth0"),
  "link-set-promisc": changeLink(
    { index: 2, flags: interfaceFlag.promisc, change: interfaceFlag.promisc },
    "",
  ),
  "link-set-name": changeLink({ index: 2, name: "net1" }, ""),
  "link-set-mtu": changeLink({ index: 2, mtu: 1300 }, ""),
  "link-set-address": changeLinkSettings({ index: 2, mac: mac("02:00:00:00:00:09") }, ""),
  "link-set-allmulti": changeLinkSettings(
    { index: 2, flags: modeFlag.allmulti, change: modeFlag.allmulti },
    "",
  ),
  "link-set-txqlen": changeLinkSettings({ index: 2, txQLen: 500 }, ""),
  "link-set-alias": changeLink({ index: 3, alias: "mynet" }, ""),
  "link-set-vlan-filtering": changeLink(
    { index: 2, kind: "bridge", data: encodeBridge({ vlanFiltering: true }) },
    "",
  ),
  "link-del": deleteLink({ index: 3 }),
  "addr-add": addAddress(2, prefix("10.0.0.2/24"), 0, "eth0"),
  "addr-add-v6": addAddress(2, prefix("fd00::2/64"), 0, "eth0"),
  "addr-add-v6-nodad": addAddress(2, prefix("fd00::2/64"), addressFlag.noDad, "eth0"),
  "addr-del": deleteAddress(2, prefix("10.0.0.2/24"), "eth0"),
  "addr-del-v6": deleteAddress(2, prefix("fd00::2/64"), "eth0"),
  "addr-show": dumpAddresses(2),
  // Like `ip route prepend`, ours neither replaces a route to the same destination nor fails because of it.
  "route-prepend": addRoute(v4),
  "route-show-table": dumpRoutes(4, { table: 1000 }),
  "route-show": dumpRoutes(4, { table: 254 }),
  "route-show-v6": dumpRoutes(6, { table: 254 }),
  "vlan-add": addPortVlans(4, [{ vid: 10, pvid: true, untagged: true }], "veth0"),
  "vlan-add-range": addPortVlans(4, [{ vid: 100, end: 110 }], "veth0"),
  "vlan-add-self": addPortVlans(2, [{ vid: 10 }], "br0", true),
  "vlan-del": deletePortVlans(4, [{ vid: 1 }], "veth0"),
  "vlan-del-range": deletePortVlans(4, [{ vid: 100, end: 110 }], "veth0"),
  "vlan-show": dumpPortVlans(),
  "vlan-filtering-show": dumpPortVlans(),
  "vlan-filtering-add": addPortVlans(4, [{ vid: 10, pvid: true, untagged: true }], "veth0"),
  "vlan-filtering-del": deletePortVlans(4, [{ vid: 100, end: 105 }], "veth0"),
};

/** The tool's request with the changes of `differs`, so that only intended differences pass. */
interface Difference {
  readonly why: string;
  readonly ours: Request;
  /** NLM_F_* bits that only the tool sets. */
  readonly flags?: number;
  readonly differs: (tool: Tree) => Tree;
}

const header = (tree: Tree, at: number, hex: string): Tree => ({
  ...tree,
  header: tree.header.slice(0, at * 2) + hex + tree.header.slice(at * 2 + hex.length),
});
const attribute = (tree: Tree, type: number, value: string | Tree): Tree => ({
  ...tree,
  attributes: [...tree.attributes.filter(([t]) => t !== type), [type, value] as const].sort(
    ([a], [b]) => a - b,
  ),
});
const same = (tree: Tree): Tree => tree;

const EXCLUSIVE = "ip fails at a route to the same destination, ours stands beside it";
const added = (ours: Request): Difference => ({ why: EXCLUSIVE, ours, flags: flag.exclusive, differs: same });

const DIFFERENT: Readonly<Record<string, Difference>> = {
  "route-add-via": added(addRoute(v4)),
  "route-add-default": added(addRoute({ ...v4, dst: prefix("0.0.0.0/0") })),
  "route-add-metric": added(addRoute({ ...v4, index: 2, priority: 50 })),
  "route-add-table": added(addRoute({ ...v4, table: 1000 })),
  "route-add-table-low": added(addRoute({ ...v4, table: 100 })),
  "route-add-link": added(addRoute({ dst: v4.dst, index: 2, scope: 253 })),
  "route-add-mtu": added(addRoute({ ...v4, mtu: 1300, advmss: 1200 })),
  "route-add-src": added(addRoute({ ...v4, preferredSource: ip("10.0.0.2") })),
  "route-add-v6": added(addRoute({ ...v6, index: 2, priority: 50 })),
  "route-add-v6-default": added(addRoute({ ...v6, dst: prefix("::/0") })),
  "link-set-bridge-slave": {
    why: "ip names a kind that no driver has, ours the master's kind as the kernel itself does",
    ours: changeLink(
      { index: 4, portKind: "bridge", portData: encodeBridgePort({ hairpin: true, isolated: true }) },
      "",
    ),
    differs: (tool) => {
      const info = tool.attributes.find(([type]) => type === 18)?.[1] as Tree;
      const attributes = [[4, "bridge"] as const, ...info.attributes.filter(([type]) => type !== 1)];
      return attribute(tool, 18, { ...info, attributes });
    },
  },
  "neigh-del": {
    why: "ip sends a state, which the kernel does not look at",
    ours: deleteNeighbour(2, ip("10.0.0.9")),
    differs: (tool) => header(tool, 8, "0000"),
  },
  "neigh-del-v6": {
    why: "ip sends a state, which the kernel does not look at",
    ours: deleteNeighbour(2, ip("fd00::9")),
    differs: (tool) => header(tool, 8, "0000"),
  },
  "error-no-link": {
    why: "ip asks for virtual functions as well",
    ours: getLink({ name: "nothing" }),
    differs: (tool) => attribute(tool, 29, "08000000"),
  },
  "link-get": {
    why: "ip asks for virtual functions as well",
    ours: getLink({ index: 2 }),
    differs: (tool) => attribute(tool, 29, "08000000"),
  },
  "link-show": {
    why: "ip asks for packet sockets' view and virtual functions, ours leaves out statistics",
    ours: dumpLinks(),
    differs: (tool) => attribute(header(tool, 0, "00"), 29, "08000000"),
  },
  "link-show-master": {
    why: "as link-show",
    ours: dumpLinks({ master: 2 }),
    differs: (tool) => attribute(header(tool, 0, "00"), 29, "08000000"),
  },
  "link-show-type": {
    why: "as link-show",
    ours: dumpLinks({ kind: "bridge" }),
    differs: (tool) => attribute(header(tool, 0, "00"), 29, "08000000"),
  },
};

const QUERIES = [18, 22, 26, 30];

/** The flags that a connection sends: a dump requests no acknowledgement, and ip requests none for a query either. */
const flagsOf = (request: Request, dump: boolean): number =>
  request.flags | flag.request | (dump ? flag.dump : flag.ack);

function toolsRequest(name: string) {
  const [request, ...others] = requestsOf(readGolden("rtnetlink", name));
  if (request === undefined || others.length > 0) throw new Error(`${name}: not one request`);
  const dump = (request.flags & flag.dump) === flag.dump && QUERIES.includes(request.type);
  const query = QUERIES.includes(request.type) && !dump;
  return { ...request, dump, flags: query ? request.flags | flag.ack : request.flags };
}

describe("the same as the tool's", () => {
  test.each(Object.entries(SAME))("%s", (name, ours) => {
    const tool = toolsRequest(name);
    expect({ type: ours.type, flags: flagsOf(ours, tool.dump), ...treeOf(ours) }).toEqual({
      type: tool.type,
      flags: tool.flags,
      ...treeOf(tool),
    });
  });
});

test("the same to the last byte, if the tool's request has no nested attributes", () => {
  const names = Object.keys(SAME).filter((name) => /^(link-set-(?!vlan)|link-del|addr-(add|del))/.test(name));
  expect(names.length).toBe(17);
  // The order of attributes has no meaning.
  const sorted = (payload: Uint8Array, length: number) =>
    attributesIn(payload.subarray(length))
      .map(({ type, payload: value }) => `${type} ${value.toHex()}`)
      .sort();
  for (const name of names) {
    const [ours, tool] = [SAME[name], toolsRequest(name)];
    const length = headerLength(tool.type);
    expect(ours?.payload.length).toBe(tool.payload.length);
    expect(ours?.payload.subarray(0, length).toHex()).toBe(tool.payload.subarray(0, length).toHex());
    expect(sorted(ours?.payload ?? new Uint8Array(length), length)).toEqual(sorted(tool.payload, length));
  }
});

describe("the same as the tool's except for an intended difference", () => {
  test.each(Object.entries(DIFFERENT))("%s", (name, { ours, flags = 0, differs }) => {
    const tool = toolsRequest(name);
    expect(tool.flags & flags).toBe(flags);
    expect({ type: ours.type, flags: flagsOf(ours, tool.dump), ...treeOf(ours) }).toEqual({
      type: tool.type,
      flags: tool.flags & ~flags,
      ...differs(treeOf(tool)),
    });
    // An entry without differences belongs in the other table.
    expect([differs(treeOf(tool)), tool.flags & ~flags]).not.toEqual([treeOf(tool), tool.flags]);
  });
});
