/** Addresses, routes and neighbours made and removed by us, as `ip` sees them. */
import { expect } from "bun:test";
import { parseIp } from "../../../src/net/ip.ts";
import { formatPrefix, parsePrefix } from "../../../src/net/prefix.ts";
import type { Connection, Request } from "../../../src/netlink/connection.ts";
import type { Message } from "../../../src/netlink/message.ts";
import {
  addAddress,
  addressFlag,
  addressOf,
  deleteAddress,
  dumpAddresses,
} from "../../../src/netlink/rtnetlink/address.ts";
import { addLink, deleteLink, setLinkUp } from "../../../src/netlink/rtnetlink/link.ts";
import { deleteNeighbour } from "../../../src/netlink/rtnetlink/neighbour.ts";
import {
  addRoute,
  decodeRoute,
  dumpRoutes,
  encodeRoute,
  type Route,
  RTN_UNICAST,
} from "../../../src/netlink/rtnetlink/route.ts";
import { encodeVethPeer } from "../../../src/netlink/rtnetlink/veth.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTest } from "../../support/host-test.ts";
import { connectHost, errorOf, linkNamed } from "./route-connection.ts";

function parsed<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a test's own value does not parse");
  return value;
}
const ip = (text: string) => parsed(parseIp(text));
const prefix = (text: string) => parsed(parsePrefix(text));

const whole = (message: Message) => message;

/** A pair of links, both up; gives the index of the one to work on. */
function addPair(connection: Connection): number {
  connection.call(addLink({ name: "eth0", kind: "veth", data: encodeVethPeer({ name: "eth1" }) }));
  for (const name of ["eth0", "eth1"])
    connection.call(setLinkUp(linkNamed(connection, name).index, true, name));
  return linkNamed(connection, "eth0").index;
}

interface IpAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly broadcast?: string;
  readonly scope: string;
  readonly nodad?: boolean;
  readonly tentative?: boolean;
  readonly noprefixroute?: boolean;
}

hostTest("addresses: added with broadcast address and flags, listed, removed", async (host) => {
  using connection = connectHost();
  const index = addPair(connection);
  const shown = async () => {
    const [link] = await host.json<{ addr_info: IpAddress[] }[]>("ip -j addr show dev eth0");
    return link?.addr_info.filter(({ local }) => !local.startsWith("fe80:")) ?? [];
  };
  const ours = () =>
    connection
      .dump(dumpAddresses(index), (message) => addressOf(message, index))
      .filter(({ scope }) => scope === 0);

  connection.call(addAddress(index, prefix("10.1.2.3/24"), 0, "eth0"));
  connection.call(addAddress(index, prefix("10.1.3.1/32"), 0, "eth0"));
  connection.call(addAddress(index, prefix("10.1.4.0/31"), 0, "eth0"));
  connection.call(addAddress(index, prefix("fd00::1/64"), addressFlag.noDad, "eth0"));
  connection.call(addAddress(index, prefix("fd01::1/64"), addressFlag.noDad | 0x200, "eth0"));
  expect(await shown()).toMatchObject([
    { local: "10.1.2.3", prefixlen: 24, broadcast: "10.1.2.255", scope: "global" },
    { local: "10.1.3.1", prefixlen: 32, scope: "global" },
    { local: "10.1.4.0", prefixlen: 31, scope: "global" },
    // The newest IPv6 address comes first.
    { local: "fd01::1", prefixlen: 64, nodad: true, noprefixroute: true },
    { local: "fd00::1", prefixlen: 64, nodad: true },
  ]);
  for (const { local, broadcast, tentative } of await shown()) {
    expect(tentative).toBeUndefined();
    if (local !== "10.1.2.3") expect(broadcast).toBeUndefined();
  }
  expect(ours().map((address) => formatPrefix(address.prefix))).toEqual([
    ...["10.1.2.3/24", "10.1.3.1/32", "10.1.4.0/31", "fd01::1/64", "fd00::1/64"],
  ]);
  // Permanent and without detection; the second has a flag beyond the header's eight bits.
  expect(ours().map(({ flags }) => flags)).toEqual([0x80, 0x80, 0x80, 0x282, 0x82]);

  expect(errorOf(() => connection.call(addAddress(index, prefix("10.1.2.3/24"), 0, "eth0")))).toMatchObject({
    code: "EEXIST",
    request: 'add address 10.1.2.3/24 to "eth0"',
  });
  for (const { prefix: own } of ours()) connection.call(deleteAddress(index, own, "eth0"));
  expect(await shown()).toEqual([]);
  expect(ours()).toEqual([]);
  expect(errorOf(() => connection.call(deleteAddress(index, prefix("10.1.2.3/24"), "eth0")))).toMatchObject({
    code: "EADDRNOTAVAIL",
  });
  connection.call(deleteLink({ index }));
  expect(errorOf(() => connection.dump(dumpAddresses(index), whole))).toMatchObject({ code: "ENODEV" });
});

hostTest("an address without NODAD is tentative at first", async () => {
  using connection = connectHost();
  const index = addPair(connection);
  connection.call(addAddress(index, prefix("fd00::1/64"), 0, "eth0"));
  const flags = () =>
    connection
      .dump(dumpAddresses(index), (message) => addressOf(message, index))
      .find((address) => formatPrefix(address.prefix) === "fd00::1/64")?.flags ?? 0;
  expect(flags() & addressFlag.tentative).toBe(addressFlag.tentative);
  await eventually("the detection is over", () => (flags() & addressFlag.tentative) === 0);
  expect(flags() & addressFlag.dadFailed).toBe(0);
  connection.call(deleteLink({ index }));
});

hostTest("the addresses of one interface are not those of another", async () => {
  using connection = connectHost();
  const index = addPair(connection);
  connection.call(addAddress(index, prefix("10.1.2.3/24"), 0, "eth0"));
  const replies = connection.dump(dumpAddresses(1), whole);
  expect(
    replies.flatMap((message) => addressOf(message, 1) ?? []).map((address) => formatPrefix(address.prefix)),
  ).toEqual(["127.0.0.1/8", "::1/128"]);
  expect(replies.flatMap((message) => addressOf(message, index) ?? [])).toEqual([]);
  connection.call(deleteLink({ index }));
});

interface IpRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly metric?: number;
  readonly scope?: string;
  readonly prefsrc?: string;
  readonly protocol?: string;
  readonly metrics?: readonly { readonly mtu?: number; readonly advmss?: number }[];
}

hostTest("routes: added with all that they can have, listed, removed", async (host) => {
  using connection = connectHost();
  const index = addPair(connection);
  connection.call(addAddress(index, prefix("10.1.2.3/24"), 0, "eth0"));
  connection.call(addAddress(index, prefix("fd00::1/64"), addressFlag.noDad, "eth0"));
  const gateway = ip("10.1.2.1");
  const main: readonly Route[] = [
    { dst: prefix("0.0.0.0/0"), gateway, index },
    { dst: prefix("10.9.0.0/16"), gateway, index, priority: 50 },
    { dst: prefix("10.8.0.0/16"), index, scope: 253 },
    { dst: prefix("10.7.0.0/16"), gateway, mtu: 1300, advmss: 1200 },
    { dst: prefix("10.6.0.0/16"), gateway, preferredSource: ip("10.1.2.3") },
    { dst: prefix("10.5.0.0/16"), gateway, protocol: 4 },
  ];
  const other: readonly Route[] = [
    { dst: prefix("10.4.0.0/16"), gateway, table: 1000 },
    { dst: prefix("0.0.0.0/0"), gateway, table: 200 },
  ];
  const six: readonly Route[] = [
    { dst: prefix("::/0"), gateway: ip("fd00::9"), index },
    { dst: prefix("fd09::/48"), gateway: ip("fd00::9"), index, priority: 50, mtu: 1300 },
    { dst: prefix("fd08::/48"), index },
  ];
  const all = [...main, ...other, ...six];
  for (const route of all) connection.call(addRoute(route));

  const shown = async (family: string, table: string) => {
    const routes = await host.json<IpRoute[]>(`ip -j -d -${family} route show table ${table}`);
    return Object.fromEntries(routes.map((route) => [route.dst, route]));
  };
  const four = await shown("4", "main");
  expect(four).toMatchObject({
    default: { gateway: "10.1.2.1", dev: "eth0", protocol: "boot" },
    "10.9.0.0/16": { gateway: "10.1.2.1", metric: 50 },
    "10.8.0.0/16": { dev: "eth0", scope: "link" },
    "10.7.0.0/16": { metrics: [{ mtu: 1300, advmss: 1200 }] },
    "10.6.0.0/16": { prefsrc: "10.1.2.3" },
    "10.5.0.0/16": { protocol: "static" },
  });
  expect(await shown("4", "1000")).toMatchObject({ "10.4.0.0/16": { gateway: "10.1.2.1" } });
  expect(await shown("4", "200")).toMatchObject({ default: { gateway: "10.1.2.1" } });
  expect(await shown("6", "main")).toMatchObject({
    default: { gateway: "fd00::9", dev: "eth0" },
    "fd09::/48": { gateway: "fd00::9", metric: 50, metrics: [{ mtu: 1300 }] },
    "fd08::/48": { dev: "eth0" },
  });

  // What we list says what was asked for.
  const listed = (family: 4 | 6, table: number) =>
    connection.dump(dumpRoutes(family, { table }), ({ payload }) => decodeRoute(payload));
  for (const route of all) {
    const found = listed(route.dst.address.family, route.table ?? 254).filter(
      ({ dst, protocol }) => formatPrefix(dst) === formatPrefix(route.dst) && protocol !== 2,
    );
    expect(found).toMatchObject([route]);
    expect(found[0]?.index).toBe(index);
  }
  // K9: what nobody asked for is not even sent.
  const unicast = connection.dump(dumpRoutes(4, { type: RTN_UNICAST }), ({ payload }) =>
    decodeRoute(payload),
  );
  const expected = await host.json<object[]>("ip -j -4 route show table all type unicast");
  expect(unicast.length).toBe(expected.length);
  expect(unicast.every(({ type }) => type === RTN_UNICAST)).toBeTrue();
  expect(errorOf(() => connection.dump(dumpRoutes(4, { table: 4711 }), whole))).toMatchObject({
    code: "ENOENT",
    ack: { text: "ipv4: FIB table does not exist" },
  });
  // The very same route is refused, one with another metric stands beside it.
  expect(errorOf(() => connection.call(addRoute(main[0] as Route)))).toMatchObject({
    code: "EEXIST",
    request: "add route 0.0.0.0/0 via 10.1.2.1",
  });
  connection.call(addRoute({ ...(main[0] as Route), priority: 77 }));
  connection.call(deleteRoute({ dst: prefix("0.0.0.0/0"), priority: 77 }));
  expect(
    errorOf(() => connection.call(addRoute({ dst: prefix("10.3.0.0/16"), gateway: ip("192.0.2.1") }))),
  ).toMatchObject({ code: "ENETUNREACH", ack: { text: "Nexthop has invalid gateway" } });

  for (const { dst, table } of all) {
    const route = table === undefined ? { dst } : { dst, table };
    connection.call(deleteRoute(route));
    const code = dst.address.family === 6 && dst.length === 0 ? "ENOENT" : "ESRCH";
    expect(errorOf(() => connection.call(deleteRoute(route)))).toMatchObject({ code });
  }
  // A route as it was listed can be deleted by all that is known of it; the kernel's own one, too.
  const own = listed(4, 254).find(({ dst }) => formatPrefix(dst) === "10.1.2.0/24");
  connection.call(deleteRoute(own as Route));
  expect(await shown("4", "main")).toEqual({});
  connection.call(deleteLink({ index }));
});

/** RT_SCOPE_NOWHERE: any scope. */
const SCOPE_NOWHERE = 255;

/** Deletes the first route that is as the fields say, without the flags, some of which the kernel refuses. */
const deleteRoute = (route: Route): Request => ({
  action: "delete a route",
  type: 25,
  flags: 0,
  payload: encodeRoute({
    protocol: 0,
    scope: route.dst.address.family === 4 ? SCOPE_NOWHERE : 0,
    type: 0,
    ...route,
    flags: 0,
  }),
});

hostTest("neighbours: an entry is forgotten", async (host) => {
  using connection = connectHost();
  const index = addPair(connection);
  const entries = async () =>
    (await host.json<{ dst: string }[]>("ip -j neigh show dev eth0 nud permanent")).map(({ dst }) => dst);
  await host.run("ip neigh add 10.1.2.9 lladdr 02:00:00:00:00:09 dev eth0");
  await host.run("ip neigh add fd00::9 lladdr 02:00:00:00:00:09 dev eth0");
  expect(await entries()).toEqual(["10.1.2.9", "fd00::9"]);
  connection.call(deleteNeighbour(index, ip("10.1.2.9")));
  expect(await entries()).toEqual(["fd00::9"]);
  connection.call(deleteNeighbour(index, ip("fd00::9")));
  expect(await entries()).toEqual([]);
  expect(errorOf(() => connection.call(deleteNeighbour(index, ip("10.1.2.10"))))).toMatchObject({
    code: "ENOENT",
    request: `delete neighbour 10.1.2.10 of interface ${index}`,
  });
  connection.call(deleteLink({ index }));
});
