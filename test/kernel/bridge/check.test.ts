/** CHECK: passes right after ADD; each single loss has its own error; what others add is tolerated. */
import { describe, expect, test } from "bun:test";
import {
  type AddResult,
  Attachment,
  BRIDGE,
  configuration,
  hostLocal,
  V4,
  V6,
  withNetwork,
} from "./network.ts";

const FULL = configuration({
  isGateway: true,
  mtu: 1400,
  portIsolation: true,
  promiscMode: true,
  ipam: { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9" }] },
});

/** Mutations on the host (VETH stands for the host's end) or in the container, and what CHECK has to say. */
const MUTATIONS: readonly [string, "host" | "container", string, RegExp][] = [
  ["bridge down", "host", `ip link set ${BRIDGE} down`, /bridge br0 is down/],
  [
    "bridge's MAC changed",
    "host",
    `ip link set ${BRIDGE} address 02:00:00:00:00:99`,
    /Bridge interface br0 Mac doesn't match: \S+ was reported, 02:00:00:00:00:99 is there/,
  ],
  [
    "promisc off",
    "host",
    `ip link set ${BRIDGE} promisc off`,
    /Bridge interface br0 configured Promisc Mode true doesn't match current state: false/,
  ],
  ["bridge gone", "host", `ip link del ${BRIDGE}`, /CNI created bridge br0 in host namespace was not found/],
  [
    "bridge replaced by something else",
    "host",
    `ip link del ${BRIDGE}; ip link add ${BRIDGE} type veth peer name other0`,
    /br0 does not have link type of bridge: it is veth/,
  ],
  [
    "gateway address lost",
    "host",
    `ip addr del 10.77.0.1/24 dev ${BRIDGE}`,
    /gateway address 10\.77\.0\.1\/24 is missing on br0/,
  ],
  [
    "IPv6 gateway address lost",
    "host",
    `ip addr del fd77::1/64 dev ${BRIDGE}`,
    /gateway address fd77::1\/64 is missing on br0/,
  ],
  ["host end down", "host", "ip link set VETH down", /host interface veth\S+ is down/],
  [
    "host end without master",
    "host",
    "ip link set VETH nomaster",
    /host interface veth\S+ is not a port of bridge br0: its master is none/,
  ],
  [
    "host end on another bridge",
    "host",
    "ip link add br1 type bridge; ip link set VETH master br1",
    /host interface veth\S+ is not a port of bridge br0: its master is the link with index \d+/,
  ],
  [
    "host end's MAC changed",
    "host",
    "ip link set VETH address 02:00:00:00:00:98",
    /Interface veth\S+ Mac doesn't match/,
  ],
  [
    "host end's mtu changed",
    "host",
    "ip link set VETH mtu 1300",
    /interface veth\S+ has mtu 1300 instead of 1400/,
  ],
  [
    "isolation off",
    "host",
    "bridge link set dev VETH isolated off",
    /port isolation of bridge port veth\S+ is off, the configuration wants it on/,
  ],
  [
    "lease lost",
    "host",
    "rm /var/lib/cni/networks/testnet/10.77.0.2 /var/lib/cni/networks/testnet/fd77::2",
    /host-local: Failed to find address added by container c1/,
  ],
  ["container end down", "container", "ip link set eth0 down", /container interface eth0 is down/],
  [
    "container end's MAC changed",
    "container",
    "ip link set eth0 address 02:00:00:00:00:97",
    /Interface eth0 Mac doesn't match container Mac/,
  ],
  [
    "container end renamed",
    "container",
    "ip link set eth0 down; ip link set eth0 name eth9",
    /CNI created interface in container eth0 not found in /,
  ],
  [
    "container end gone",
    "container",
    "ip link del eth0",
    /CNI created interface in container eth0 not found in /,
  ],
  [
    "address lost",
    "container",
    "ip addr del 10.77.0.2/24 dev eth0",
    /Failed to match addr 10\.77\.0\.2\/24 on interface eth0: it has fd77::2\/64/,
  ],
  [
    "prefix length changed",
    "container",
    "ip addr del 10.77.0.2/24 dev eth0; ip addr add 10.77.0.2/25 dev eth0; ip route add default via 10.77.0.1; ip route add 192.0.2.0/24 via 10.77.0.9",
    /Failed to match addr 10\.77\.0\.2\/24 on interface eth0: it has 10\.77\.0\.2\/25/,
  ],
  [
    "IPv6 address lost",
    "container",
    "ip addr del fd77::2/64 dev eth0",
    /Failed to match addr fd77::2\/64 on interface eth0/,
  ],
  [
    "default route lost",
    "container",
    "ip route del default",
    /Expected Route 0\.0\.0\.0\/0 not found in routing table/,
  ],
  [
    "route lost",
    "container",
    "ip route del 192.0.2.0/24",
    /Expected Route 192\.0\.2\.0\/24 via 10\.77\.0\.9 not found in routing table/,
  ],
  [
    "route through another gateway",
    "container",
    "ip route replace 192.0.2.0/24 via 10.77.0.8",
    /Expected Route 192\.0\.2\.0\/24 via 10\.77\.0\.9 not found in routing table/,
  ],
];

/** What others add or switch on, in a network that asks for none of it, and in one that asks for all. */
const GAINS: readonly [what: string, place: "host" | "container", mutation: string][] = [
  ["hairpin mode, as kube-router and the kubelet do", "host", "bridge link set dev VETH hairpin on"],
  ["port isolation", "host", "bridge link set dev VETH isolated on"],
  ["promiscuous mode of the bridge", "host", `ip link set ${BRIDGE} promisc on`],
  ["promiscuous mode of the container's end", "container", "ip link set eth0 promisc on"],
  ["multicast of the container's end", "container", "ip link set eth0 allmulticast on"],
  ["a larger mtu on the host's end", "host", "ip link set VETH mtu 9000"],
  ["a larger mtu on both ends", "container", "ip link set eth0 mtu 9000"],
  ["a smaller mtu on the container's end, as tuning sets", "container", "ip link set eth0 mtu 1280"],
  [
    "addresses",
    "container",
    "ip addr add 198.51.100.5/24 dev eth0; ip addr add 2001:db8::5/64 dev eth0 nodad",
  ],
  [
    "routes",
    "container",
    "ip route add 203.0.113.0/24 via 10.77.0.1; ip route add default via 10.77.0.1 metric 9",
  ],
  ["interfaces", "container", "ip link add other0 type bridge"],
  [
    "addresses of the gateway",
    "host",
    `ip addr add 198.51.100.1/24 dev ${BRIDGE}; ip addr add fd99::1/64 dev ${BRIDGE}`,
  ],
  [
    "ports of the bridge",
    "host",
    `ip link add p0 type veth peer name p1; ip link set p0 master ${BRIDGE} up`,
  ],
  [
    "another name of the host's end",
    "host",
    "ip link set VETH down; ip link set VETH name renamed0; ip link set renamed0 up",
  ],
  ["another alias of the host's end", "host", "ip link set VETH alias mine"],
  ["an alternative name of the host's end", "host", "ip link property add dev VETH altname my-container"],
  ["a queue of the host's end", "host", "tc qdisc replace dev VETH root pfifo limit 99 || true"],
  [
    "rules around ours",
    "host",
    "iptables -t nat -I POSTROUTING -s 203.0.113.0/24 -j RETURN; iptables -t nat -A POSTROUTING -j ACCEPT; " +
      "iptables -t nat -I $(iptables-save -t nat | sed -n 's/^:\\(CNI-[0-9a-f]*\\) .*/\\1/p' | head -1) -d 203.0.113.0/24 -j ACCEPT",
  ],
];

const PLAIN = configuration({
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: "iptables",
  ipam: hostLocal(V4, V6),
});
const REMOVED = `ip link del p0 2>/dev/null; ip addr flush dev ${BRIDGE} scope global; iptables -t nat -F; true`;

describe("CHECK", () => {
  test.each([...GAINS])("K13: what was gained is no loss: %s", (_what, place, mutation) =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, PLAIN);
      const result = await attachment.add();
      const veth = result.interfaces[1]?.name ?? "";
      await (place === "host" ? host : container).run(mutation.replaceAll("VETH", veth));
      await attachment.check(result);
      // What is lost is seen all the same.
      await host.run(`ip addr del 10.77.0.1/24 dev ${BRIDGE}`);
      expect((await attachment.failure("CHECK", { prevResult: result })).msg).toStartWith(
        "gateway address 10.77.0.1/24 is missing on br0",
      );
      await attachment.del();
      await host.run(REMOVED);
    }),
  );

  test("K13: a route that got further gateways is no loss", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, FULL);
      const result = await attachment.add();
      const replace = (hops: string) => container.run(`ip route replace 192.0.2.0/24 ${hops}`);
      await replace("nexthop via 10.77.0.8 weight 2 nexthop via 10.77.0.9 weight 1");
      await attachment.check(result);
      await container.run("ip nexthop add id 5 via 10.77.0.9 dev eth0");
      await replace("nhid 5");
      await attachment.check(result);
      await replace("nexthop via 10.77.0.8 weight 2 nexthop via 10.77.0.7 weight 1");
      expect((await attachment.failure("CHECK", { prevResult: result })).msg).toContain(
        "Expected Route 192.0.2.0/24 via 10.77.0.9 not found",
      );
      await attachment.del();
    }));

  test("K13: the MAC of a bridge that is no gateway follows its ports, and is no loss", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      await host.run(`ip link add ${BRIDGE} type bridge`);
      const attachment = new Attachment(host, container, configuration({ ipam: hostLocal(V4) }));
      const result = await attachment.add();
      // As on a bridge of the Go plugins, whose MAC is that of its lowest port.
      const reported = {
        ...result,
        interfaces: result.interfaces.with(0, { name: BRIDGE, mac: "0a:00:00:00:00:01" }),
      };
      await attachment.check(reported);
      await attachment.del();
    }));

  test("K13: each setting that was asked for is a loss when it is off", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const config = { ...PLAIN, hairpinMode: true, portIsolation: true, mtu: 1400 };
      const attachment = new Attachment(host, container, config);
      const result = await attachment.add();
      const veth = result.interfaces[1]?.name ?? "";
      await attachment.check(result);
      for (const [mutation, repair, message] of [
        [
          "bridge link set dev VETH hairpin off",
          "bridge link set dev VETH hairpin on",
          /^hairpin mode of .* is off, the configuration wants it on$/,
        ],
        [
          "bridge link set dev VETH isolated off",
          "bridge link set dev VETH isolated on",
          /^port isolation of .* is off, the configuration wants it on$/,
        ],
        [
          "ip link set VETH mtu 1399",
          "ip link set VETH mtu 1400",
          /^interface veth\S+ has mtu 1399 instead of 1400$/,
        ],
      ] as const) {
        await host.run(mutation.replaceAll("VETH", veth));
        expect((await attachment.failure("CHECK", { prevResult: result })).msg).toMatch(message);
        await host.run(repair.replaceAll("VETH", veth));
        await attachment.check(result);
      }
      await attachment.del();
      await host.run(REMOVED);
    }));

  test("K25: all losses are named, in one error", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const config = { ...FULL, ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true };
      const attachment = new Attachment(host, container, config);
      const result = await attachment.add();
      await attachment.check(result);
      const veth = result.interfaces[1]?.name ?? "";
      await host.run(
        `rm /var/lib/cni/networks/testnet/10.77.0.2 /var/lib/cni/networks/testnet/fd77::2; ip link set ${BRIDGE} promisc off; ` +
          `ip addr del 10.77.0.1/24 dev ${BRIDGE}; ip addr del fd77::1/64 dev ${BRIDGE}; ip link set ${veth} mtu 1300; ` +
          `bridge link set dev ${veth} isolated off; nft flush chain inet cni_plugins_masquerade masq_checks; ` +
          "nft flush chain bridge nat PREROUTING",
      );
      await container.run(
        "ip route del default; ip route del 192.0.2.0/24; ip addr del fd77::2/64 dev eth0; ip addr add 10.77.0.99/24 dev eth0; ip addr del 10.77.0.2/24 dev eth0",
      );
      const { code, msg } = await attachment.failure("CHECK", { prevResult: result });
      expect(code).toBe(999);
      for (const words of [
        "Failed to find address added by container c1",
        "configured Promisc Mode true doesn't match",
        "has mtu 1300 instead of 1400",
        "port isolation of bridge port",
        "the spoof check of",
        "Failed to match addr 10.77.0.2/24",
        "Failed to match addr fd77::2/64",
        "Expected Route 0.0.0.0/0 not found",
        "Expected Route 192.0.2.0/24 via 10.77.0.9 not found",
        "gateway address 10.77.0.1/24 is missing",
        "gateway address fd77::1/64 is missing",
        "masquerade rules of container",
      ])
        expect(msg).toContain(words);
      await attachment.del();
      await host.run(
        "nft delete table inet cni_plugins_masquerade 2>/dev/null; nft delete table bridge nat 2>/dev/null; true",
      );
    }));

  test("K25: the container's end and the bridge are gone: both are named, and no empty list", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), FULL);
      const result = await attachment.add();
      const [bridge] = result.interfaces;
      await host.run(`ip link set ${result.interfaces[1]?.name} nomaster`);
      const without = { ...result, interfaces: [bridge, result.interfaces[2]] };
      expect((await attachment.failure("CHECK", { prevResult: without })).msg).toBe(
        "CNI veth created for bridge br0 was not found: prevResult has no interface on the host beside the bridge",
      );
      await host.run(`ip link del ${BRIDGE}`);
      await attachment.namespace.run("ip link del eth0");
      const { msg } = await attachment.failure("CHECK", { prevResult: result });
      expect(msg).toContain("CNI created bridge br0 in host namespace was not found");
      expect(msg).toContain("CNI created interface in container eth0 not found");
      await attachment.del();
    }));
  test.each([...MUTATIONS])("A33, B37, B38, G17: %s", (_what, place, mutation, message) =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, FULL);
      const result = await attachment.add();
      await attachment.check(result);
      const veth = result.interfaces[1]?.name ?? "";
      await (place === "host" ? host : container).run(mutation.replaceAll("VETH", veth));
      expect((await attachment.failure("CHECK", { prevResult: result })).msg).toMatch(message);
      await attachment.del();
      await host.run("ip link del br1 2>/dev/null; ip link del other0 2>/dev/null; true");
    }),
  );

  test("A32: what later plugins of the chain changed is tolerated", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, FULL);
      const result = await attachment.add();
      // Another address and route, promiscuity, a moved default route, the interface's MAC and mtu; of these two tuning reports the MAC only.
      await container.run(
        "ip addr add 198.51.100.5/24 dev eth0; ip route add 203.0.113.0/24 via 10.77.0.1; ip link set eth0 promisc on",
      );
      await container.run(
        "ip link set eth0 address 02:00:00:00:00:55 mtu 1280; ip route add default via 10.77.0.1 table 100; ip route del default",
      );
      const tuned: AddResult = structuredClone(result);
      Object.assign(tuned.interfaces[2] ?? {}, { mac: "02:00:00:00:00:55" });
      tuned.interfaces.push({ name: "ifb0", mac: "02:00:00:00:00:56" });
      tuned.ips.push({ address: "198.51.100.99/24", interface: 3 });
      await attachment.check(tuned);
      await attachment.del();
    }));

  test("A34, B25: of two gateways under forceAddress the last one stays, and CHECK knows", () =>
    withNetwork(async (host) => {
      const config = configuration({
        isGateway: true,
        forceAddress: true,
        ipam: hostLocal({ subnet: "10.77.0.0/24" }, { subnet: "10.78.0.0/24" }),
      });
      const attachment = new Attachment(host, await host.addNamespace("c1"), config);
      const result = await attachment.add();
      await attachment.check(result);
      await host.run(`ip addr del 10.78.0.1/24 dev ${BRIDGE}`);
      expect((await attachment.failure("CHECK", { prevResult: result })).msg).toContain(
        "gateway address 10.78.0.1/24 is missing on br0",
      );
      await attachment.del();
    }));

  test("B36: prevResult is required, and its sandbox must be this one", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration());
      const result = await attachment.add();
      expect((await attachment.failure("CHECK")).msg).toContain("Required prevResult missing");
      const elsewhere = structuredClone(result);
      Object.assign(elsewhere.interfaces[2] ?? {}, { sandbox: "/var/run/netns/other" });
      expect((await attachment.failure("CHECK", { prevResult: elsewhere })).msg).toContain(
        "Sandbox in prevResult /var/run/netns/other doesn't match configured netns",
      );
      await attachment.del();
    }));

  test("B36: the namespace must open", () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), configuration());
      const result = await attachment.add();
      const error = await attachment.failure("CHECK", { prevResult: result }, "/var/run/netns/nope");
      expect({ code: error.code, msg: error.msg }).toEqual({
        code: 8,
        msg: expect.stringContaining('failed to open netns "/var/run/netns/nope"'),
      });
      await attachment.del();
    }));
});
