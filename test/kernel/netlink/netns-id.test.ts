/** What the kernel says of another namespace without that anything enters it, beside what `ip` says inside. */
import { expect } from "bun:test";
import { formatPrefix } from "../../../src/net/prefix.ts";
import { Connection } from "../../../src/netlink/connection.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../../../src/netlink/rtnetlink/address.ts";
import { decodeLink, dumpLinks, getLink, linkOf } from "../../../src/netlink/rtnetlink/link.ts";
import { dumpNetnsIds, getNetnsId, netnsIdIn, netnsIdOf } from "../../../src/netlink/rtnetlink/netns-id.ts";
import { NetlinkSocket, protocol } from "../../../src/netlink/socket.ts";
import { Netns } from "../../../src/sys/netns.ts";
import { hostTest } from "../../support/host-test.ts";

hostTest("the number of a namespace, its links and addresses; -1 where nothing leads", async (host) => {
  const [one, two] = [await host.addNamespace("c1"), await host.addNamespace("c2")];
  await host.run("ip link add veth0 type veth peer name eth0 netns c1");
  await one.run(
    "ip addr add 10.9.0.2/24 dev eth0; ip addr add fd09::2/64 dev eth0 nodad; ip link set eth0 up",
  );
  using connection = new Connection(new NetlinkSocket(protocol.route));
  const numberOf = (path: string) => {
    using netns = Netns.open(path);
    return netnsIdOf(connection.get(getNetnsId(netns.fd)));
  };
  const [shown] = await host.json<{ link_index: number }[]>("ip -j -d link show veth0");
  const number = numberOf(one.path) ?? -1;
  expect(linkOf(connection.get(getLink({ name: "veth0" })))?.linkNetnsId).toBe(number);
  expect(number).toBeGreaterThanOrEqual(0);
  expect(numberOf(two.path)).toBe(-1);

  expect(connection.dump(dumpNetnsIds(), netnsIdIn)).toEqual([number]);
  const there = connection.dump(dumpLinks({ kind: "veth", targetNetnsId: number }), ({ payload }) => {
    const { name, targetNetnsId } = decodeLink(payload);
    return `${name} ${targetNetnsId}`;
  });
  expect(there).toEqual([`eth0 ${number}`]);

  const index = shown?.link_index ?? 0;
  const inside = linkOf(connection.get(getLink({ index, targetNetnsId: number })));
  expect([inside?.name, inside?.targetNetnsId]).toEqual(["eth0", number]);
  const found = connection.dump(dumpAddressesIn(number), ({ type, payload }) => {
    if (type !== RTM_NEWADDR) return undefined;
    const address = decodeAddress(payload);
    expect(address.targetNetnsId).toBe(number);
    return `${address.index} ${formatPrefix(address.prefix)}`;
  });
  const wanted = (
    await one.json<{ ifindex: number; addr_info: { local: string; prefixlen: number }[] }[]>("ip -j addr")
  ).flatMap(({ ifindex, addr_info }) =>
    addr_info.map(({ local, prefixlen }) => `${ifindex} ${local}/${prefixlen}`),
  );
  expect(wanted.length).toBeGreaterThanOrEqual(4);
  expect(found.sort()).toEqual(wanted.sort());
  await host.run("ip link del veth0");
});
