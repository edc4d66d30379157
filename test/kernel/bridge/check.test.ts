/** CHECK: passes right after ADD; each single loss has its own error; what others add is tolerated. */
import { describe, expect } from "bun:test";
import { rows } from "../../support/rows.ts";
import {
  type AddResult,
  attach,
  BRIDGE,
  hostLocal,
  LEASES,
  lifeTest,
  networkTest,
  V4,
  V6,
} from "./network.ts";

const FULL = {
  isGateway: true,
  mtu: 1400,
  portIsolation: true,
  promiscMode: true,
  ipam: { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9" }] },
};
const PLAIN = { isGateway: true, ipMasq: true, ipMasqBackend: "iptables", ipam: hostLocal(V4, V6) };

/** Commands on the host and what CHECK has to say. VETH stands for the host's end. */
const ON_HOST = rows(`
  bridge down => ip link set br0 down => bridge br0 is down
  bridge's MAC changed => ip link set br0 address 02:00:00:00:00:99 => Bridge interface br0 Mac doesn't match: MAC was reported, 02:00:00:00:00:99 is there
  promisc off => ip link set br0 promisc off => Bridge interface br0 configured Promisc Mode true doesn't match current state: false
  bridge gone => ip link del br0 => CNI created bridge br0 in host namespace was not found
  bridge replaced by something else => ip link del br0; ip link add br0 type veth peer name other0 => br0 does not have link type of bridge: it is veth
  gateway address lost => ip addr del 10.77.0.1/24 dev br0 => gateway address 10.77.0.1/24 is missing on br0
  IPv6 gateway address lost => ip addr del fd77::1/64 dev br0 => gateway address fd77::1/64 is missing on br0
  host end down => ip link set VETH down => host interface VETH is down
  host end without master => ip link set VETH nomaster => host interface VETH is not a port of bridge br0: its master is none
  host end on another bridge => ip link add br1 type bridge; ip link set VETH master br1 => host interface VETH is not a port of bridge br0: its master is the link with index
  host end's MAC changed => ip link set VETH address 02:00:00:00:00:98 => Interface VETH Mac doesn't match
  host end's mtu changed => ip link set VETH mtu 1300 => interface VETH has mtu 1300 instead of 1400
  isolation off => bridge link set dev VETH isolated off => port isolation of bridge port VETH is off, but the configuration turns it on
  lease lost => rm ${LEASES}/10.77.0.2 ${LEASES}/fd77::2 => host-local: Failed to find address added by container c1
`);

const NOT_FOUND = "CNI created interface in container eth0 not found in";
const NO_ROUTE = "Expected Route 192.0.2.0/24 via 10.77.0.9 not found in routing table";
/** The same in the container. */
const IN_CONTAINER = rows(`
  container end down => ip link set eth0 down => container interface eth0 is down
  container end's MAC changed => ip link set eth0 address 02:00:00:00:00:97 => Interface eth0 Mac doesn't match container Mac
  container end renamed => ip link set eth0 down; ip link set eth0 name eth9 => ${NOT_FOUND}
  container end gone => ip link del eth0 => ${NOT_FOUND}
  address lost => ip addr del 10.77.0.2/24 dev eth0 => Failed to match addr 10.77.0.2/24 on interface eth0: it has fd77::2/64
  prefix length changed => ip addr del 10.77.0.2/24 dev eth0; ip addr add 10.77.0.2/25 dev eth0; ip route add default via 10.77.0.1; ip route add 192.0.2.0/24 via 10.77.0.9 => Failed to match addr 10.77.0.2/24 on interface eth0: it has 10.77.0.2/25
  IPv6 address lost => ip addr del fd77::2/64 dev eth0 => Failed to match addr fd77::2/64 on interface eth0
  default route lost => ip route del default => Expected Route 0.0.0.0/0 not found in routing table
  route lost => ip route del 192.0.2.0/24 => ${NO_ROUTE}
  route through another gateway => ip route replace 192.0.2.0/24 via 10.77.0.8 => ${NO_ROUTE}
`);

/** What others add or switch on, in a network that asks for none of it, and in one that asks for all. */
const GAINS = rows(`
  hairpin mode, as kube-router and the kubelet do => host => bridge link set dev VETH hairpin on
  port isolation => host => bridge link set dev VETH isolated on
  promiscuous mode of the bridge => host => ip link set br0 promisc on
  promiscuous mode of the container's end => container => ip link set eth0 promisc on
  multicast of the container's end => container => ip link set eth0 allmulticast on
  a larger mtu on the host's end => host => ip link set VETH mtu 9000
  a larger mtu on both ends => container => ip link set eth0 mtu 9000
  a smaller mtu on the container's end, as tuning sets => container => ip link set eth0 mtu 1280
  addresses => container => ip addr add 198.51.100.5/24 dev eth0; ip addr add 2001:db8::5/64 dev eth0 nodad
  routes => container => ip route add 203.0.113.0/24 via 10.77.0.1; ip route add default via 10.77.0.1 metric 9
  interfaces => container => ip link add other0 type bridge
  addresses of the gateway => host => ip addr add 198.51.100.1/24 dev br0; ip addr add fd99::1/64 dev br0
  ports of the bridge => host => ip link add p0 type veth peer name p1; ip link set p0 master br0 up
  another name of the host's end => host => ip link set VETH down; ip link set VETH name renamed0; ip link set renamed0 up
  another alias of the host's end => host => ip link set VETH alias mine
  an alternative name of the host's end => host => ip link property add dev VETH altname my-container
  a queue of the host's end => host => tc qdisc replace dev VETH root pfifo limit 99 || true
  rules around ours => host => iptables -t nat -I POSTROUTING -s 203.0.113.0/24 -j RETURN; iptables -t nat -A POSTROUTING -j ACCEPT; iptables -t nat -I $(iptables-save -t nat | sed -n 's/^:\\(CNI-[0-9a-f]*\\) .*/\\1/p' | head -1) -d 203.0.113.0/24 -j ACCEPT
`);
const GAINED = `ip link del p0 2>/dev/null; ip addr flush dev ${BRIDGE} scope global; iptables -t nat -F; true`;
const NFT_TABLES =
  "nft delete table inet cni_plugins_masquerade 2>/dev/null; nft delete table bridge nat 2>/dev/null; true";

describe("CHECK", () => {
  networkTest.each(GAINS)("K13: what was gained is no loss: %s", async (host, _what, place, command) => {
    const one = await attach(host, "c1", PLAIN);
    await (place === "host" ? host : one.namespace).run(command.replaceAll("VETH", one.veth));
    await one.check();
    // What is lost is seen all the same.
    await host.run(`ip addr del 10.77.0.1/24 dev ${BRIDGE}`);
    expect(await one.loss()).toStartWith("gateway address 10.77.0.1/24 is missing on br0");
    await one.del();
    await host.run(GAINED);
  });

  networkTest("K13: a route that got further gateways is no loss", async (host) => {
    const one = await attach(host, "c1", FULL);
    const replace = (hops: string) => one.namespace.run(`ip route replace 192.0.2.0/24 ${hops}`);
    await replace("nexthop via 10.77.0.8 weight 2 nexthop via 10.77.0.9 weight 1");
    await one.check();
    await one.namespace.run("ip nexthop add id 5 via 10.77.0.9 dev eth0");
    await replace("nhid 5");
    await one.check();
    await replace("nexthop via 10.77.0.8 weight 2 nexthop via 10.77.0.7 weight 1");
    expect(await one.loss()).toContain("Expected Route 192.0.2.0/24 via 10.77.0.9 not found");
    await one.del();
  });

  networkTest(
    "K13: the MAC of a bridge that is no gateway follows its ports, and is no loss",
    async (host) => {
      await host.run(`ip link add ${BRIDGE} type bridge`);
      const one = await attach(host, "c1");
      // As on a bridge of the Go plugins, whose MAC is that of its lowest port.
      const interfaces = one.result.interfaces.with(0, { name: BRIDGE, mac: "0a:00:00:00:00:01" });
      await one.check({ ...one.result, interfaces });
      await one.del();
    },
  );

  networkTest("K13: each setting that was asked for is a loss when it is off", async (host) => {
    const one = await attach(host, "c1", { ...PLAIN, hairpinMode: true, portIsolation: true, mtu: 1400 });
    await one.check();
    for (const [off, on, message] of [
      [
        "bridge link set dev VETH hairpin off",
        "bridge link set dev VETH hairpin on",
        /^hairpin mode of .* is off, but the configuration turns it on$/,
      ],
      [
        "bridge link set dev VETH isolated off",
        "bridge link set dev VETH isolated on",
        /^port isolation of .* is off, but the configuration turns it on$/,
      ],
      [
        "ip link set VETH mtu 1399",
        "ip link set VETH mtu 1400",
        /^interface veth\S+ has mtu 1399 instead of 1400$/,
      ],
    ] as const) {
      await host.run(off.replaceAll("VETH", one.veth));
      expect(await one.loss()).toMatch(message);
      await host.run(on.replaceAll("VETH", one.veth));
      await one.check();
    }
    await one.del();
    await host.run(GAINED);
  });

  networkTest("K25: all losses are named, in one error", async (host) => {
    const masquerade = { ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true };
    const one = await attach(host, "c1", { ...FULL, ...masquerade });
    await one.check();
    await host.run(
      `rm ${LEASES}/10.77.0.2 ${LEASES}/fd77::2; ip link set br0 promisc off; ip addr del 10.77.0.1/24 dev br0; ` +
        `ip addr del fd77::1/64 dev br0; ip link set ${one.veth} mtu 1300; bridge link set dev ${one.veth} isolated off; ` +
        "nft flush chain inet cni_plugins_masquerade masq_checks; nft flush chain bridge nat PREROUTING",
    );
    await one.namespace.run(
      "ip route del default; ip route del 192.0.2.0/24; ip addr del fd77::2/64 dev eth0; ip addr add 10.77.0.99/24 dev eth0; ip addr del 10.77.0.2/24 dev eth0",
    );
    const { code, msg } = await one.failure("CHECK", { prevResult: one.result });
    expect(code).toBe(999);
    for (const words of [
      "Failed to find address added by container c1",
      ...["configured Promisc Mode true doesn't match", "has mtu 1300 instead of 1400"],
      ...["port isolation of bridge port", "the spoof check of", "Failed to match addr 10.77.0.2/24"],
      ...["Failed to match addr fd77::2/64", "Expected Route 0.0.0.0/0 not found"],
      "Expected Route 192.0.2.0/24 via 10.77.0.9 not found",
      ...["gateway address 10.77.0.1/24 is missing", "gateway address fd77::1/64 is missing"],
      "masquerade rules of container",
    ])
      expect(msg).toContain(words);
    await one.del();
    await host.run(NFT_TABLES);
  });

  networkTest(
    "K25: the container's end and the bridge are gone: both are named, and no empty list",
    async (host) => {
      const one = await attach(host, "c1", FULL);
      const [bridge, , inside] = one.result.interfaces;
      await host.run(`ip link set ${one.veth} nomaster`);
      expect(await one.loss({ ...one.result, interfaces: [bridge, inside] })).toBe(
        "CNI veth created for bridge br0 was not found: prevResult has no interface on the host besides the bridge",
      );
      await host.run(`ip link del ${BRIDGE}`);
      await one.namespace.run("ip link del eth0");
      const msg = await one.loss();
      expect(msg).toContain("CNI created bridge br0 in host namespace was not found");
      expect(msg).toContain("CNI created interface in container eth0 not found");
      await one.del();
    },
  );

  for (const [place, losses] of [
    ["host", ON_HOST],
    ["container", IN_CONTAINER],
  ] as const) {
    networkTest.each(losses)("A33, B37, B38, G17: %s", async (host, _what, command, message) => {
      const one = await attach(host, "c1", FULL);
      await one.check();
      const mac = one.result.interfaces[0]?.mac ?? "";
      await (place === "host" ? host : one.namespace).run(command.replaceAll("VETH", one.veth));
      expect(await one.loss()).toContain(message.replaceAll("VETH", one.veth).replace("MAC", mac));
      await one.del();
      await host.run("ip link del br1 2>/dev/null; ip link del other0 2>/dev/null; true");
    });
  }

  networkTest("A32: what later plugins of the chain changed is tolerated", async (host) => {
    const one = await attach(host, "c1", FULL);
    // Another address and route, promiscuity, a moved default route, the interface's MAC and mtu; of these two tuning reports the MAC only.
    await one.namespace.run(
      "ip addr add 198.51.100.5/24 dev eth0; ip route add 203.0.113.0/24 via 10.77.0.1; ip link set eth0 promisc on",
    );
    await one.namespace.run(
      "ip link set eth0 address 02:00:00:00:00:55 mtu 1280; ip route add default via 10.77.0.1 table 100; ip route del default",
    );
    const tuned: AddResult = structuredClone(one.result);
    Object.assign(tuned.interfaces[2] ?? {}, { mac: "02:00:00:00:00:55" });
    tuned.interfaces.push({ name: "ifb0", mac: "02:00:00:00:00:56" });
    tuned.ips.push({ address: "198.51.100.99/24", interface: 3 });
    await one.check(tuned);
    await one.del();
  });

  networkTest(
    "A34, B25: of two gateways under forceAddress the last one stays, and CHECK knows",
    async (host) => {
      const ipam = hostLocal(V4, { subnet: "10.78.0.0/24" });
      const one = await attach(host, "c1", { isGateway: true, forceAddress: true, ipam });
      await one.check();
      await host.run(`ip addr del 10.78.0.1/24 dev ${BRIDGE}`);
      expect(await one.loss()).toContain("gateway address 10.78.0.1/24 is missing on br0");
      await one.del();
    },
  );

  lifeTest("B36: prevResult is required, and its sandbox must be this one", {}, async (one) => {
    expect((await one.failure("CHECK")).msg).toContain("Required prevResult missing");
    const elsewhere = structuredClone(one.result);
    Object.assign(elsewhere.interfaces[2] ?? {}, { sandbox: "/var/run/netns/other" });
    expect(await one.loss(elsewhere)).toContain(
      "Sandbox in prevResult /var/run/netns/other doesn't match configured netns",
    );
  });

  lifeTest("B36: the namespace must open", {}, async (one) => {
    const error = await one.failure("CHECK", { prevResult: one.result }, "/var/run/netns/nope");
    const msg = expect.stringContaining('failed to open netns "/var/run/netns/nope"');
    expect(error).toMatchObject({ code: 8, msg });
  });
});
