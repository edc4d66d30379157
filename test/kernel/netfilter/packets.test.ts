/** Packets decide: who does a datagram come from? For both backends, over IPv4 and IPv6, routed and bridged. */

import { describe, expect, test } from "bun:test";
import type { Backend } from "../../../src/netfilter/iptables/host.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { attachment, setUp } from "./attached.ts";
import { masquerade } from "./modules.ts";
import { Listener, type Network, send, withNetwork } from "./network.ts";

const PORT = 5353;
const GROUP = "239.1.2.99";

/** With this, frames between ports of the bridge pass through the rules of iptables as well. */
const bridged = (host: ScratchHost) =>
  host.run("ip link set br0 type bridge nf_call_iptables 1 nf_call_ip6tables 1");

const twoContainers = async (network: Network) =>
  [
    await network.container("one", "10.1.2.3/24", "fd00:2::3/64"),
    await network.container("two", "10.1.2.4/24", "fd00:2::4/64"),
  ] as const;

describe.each<Backend>(["iptables", "nftables"])("%s", (backend) => {
  const attach = (containerId: string, ...addresses: string[]) =>
    setUp(backend, attachment(containerId), ...addresses);

  test.each(["IPv4", "IPv6"])(
    "%s: to the outside, the source is the host's; other traffic is left alone",
    async (version) => {
      const v4 = version === "IPv4";
      await withNetwork(async (_, network) => {
        const [one, two] = await twoContainers(network);
        const other = await network.container("other", "10.1.3.5/24", "fd00:3::5/64");
        await using outside = await Listener.start(network.outside, PORT);
        await using inTwo = await Listener.start(two.namespace, PORT);
        await using inOther = await Listener.start(other.namespace, PORT);
        await using inOne = await Listener.start(one.namespace, PORT);
        // Nobody is attached: what a container sends keeps its address.
        expect(await outside.heard(one.namespace, v4 ? "192.0.2.2" : "2001:db8::2", "before")).toBe(
          v4 ? "10.1.2.3" : "fd00:2::3",
        );
        await attach("one", ...one.addresses);
        try {
          expect(await outside.heard(one.namespace, v4 ? "192.0.2.2" : "2001:db8::2", "out")).toBe(
            v4 ? "192.0.2.1" : "2001:db8::1",
          );
          expect(await inTwo.heard(one.namespace, v4 ? "10.1.2.4" : "fd00:2::4", "neighbour")).toBe(
            v4 ? "10.1.2.3" : "fd00:2::3",
          );
          expect(await inOther.heard(one.namespace, v4 ? "10.1.3.5" : "fd00:3::5", "other subnet")).toBe(
            v4 ? "10.1.3.1" : "fd00:3::1",
          );
          expect(await inOne.heard(undefined, v4 ? "10.1.2.3" : "fd00:2::3", "from the host")).toBe(
            v4 ? "10.1.2.1" : "fd00:2::1",
          );
          // Someone else's traffic through the same host, and a container that nobody asked to masquerade.
          expect(await outside.heard(network.foreign, v4 ? "192.0.2.2" : "2001:db8::2", "foreign")).toBe(
            v4 ? "10.50.0.2" : "fd00:50::2",
          );
          expect(await outside.heard(two.namespace, v4 ? "192.0.2.2" : "2001:db8::2", "unattached")).toBe(
            v4 ? "10.1.2.4" : "fd00:2::4",
          );
          // And back from outside to a container, where a way exists.
          await network.outside.run(
            v4 ? "ip route add 10.1.2.0/24 via 192.0.2.1" : "ip -6 route add fd00:2::/64 via 2001:db8::1",
          );
          expect(await inOne.heard(network.outside, v4 ? "10.1.2.3" : "fd00:2::3", "in")).toBe(
            v4 ? "192.0.2.2" : "2001:db8::2",
          );
        } finally {
          await masquerade.tearDown(attachment("one"));
        }
        expect(await outside.heard(one.namespace, v4 ? "192.0.2.2" : "2001:db8::2", "after")).toBe(
          v4 ? "10.1.2.3" : "fd00:2::3",
        );
      });
    },
  );

  test("bridged frames that pass through the rules: to the own subnet and to multicast, the source stays", async () => {
    await withNetwork(async (host, network) => {
      const [one, two] = await twoContainers(network);
      await bridged(host);
      await attach("one", ...one.addresses);
      await using inTwo = await Listener.start(two.namespace, PORT, GROUP);
      await one.namespace.run("ip route add 224.0.0.0/4 dev eth0");
      expect(await inTwo.heard(one.namespace, "10.1.2.4", "neighbour")).toBe("10.1.2.3");
      expect(await inTwo.heard(one.namespace, "fd00:2::4", "neighbour6")).toBe("fd00:2::3");
      await send(one.namespace, GROUP, PORT + 1, "group");
      expect(await inTwo.senderOf("group")).toBe("10.1.2.3");
      await masquerade.tearDown(attachment("one"));
    });
  });

  test("the rules are what keeps the source there: without them bridged frames are masqueraded", async () => {
    await withNetwork(async (host, network) => {
      const [one, two] = await twoContainers(network);
      await bridged(host);
      // An own subnet that holds nobody else.
      await attach("one", "10.1.2.3/32");
      await using inTwo = await Listener.start(two.namespace, PORT);
      expect(await inTwo.heard(one.namespace, "10.1.2.4", "neighbour")).toBe("10.1.2.1");
      await masquerade.tearDown(attachment("one"));
    });
  });

  test("hairpin: what the host sends back into the subnet keeps its source", async () => {
    await withNetwork(async (host, network) => {
      const [one, two] = await twoContainers(network);
      await attach("one", ...one.addresses);
      await attach("two", ...two.addresses);
      await host.run(`
        set -e
        nft add table ip published
        nft 'add chain ip published prerouting { type nat hook prerouting priority dstnat; }'
        nft add rule ip published prerouting ip daddr 192.0.2.1 udp dport 8000 dnat to 10.1.2.3:${PORT}
        bridge link set dev ${one.port} hairpin on`);
      await one.namespace.run(
        "echo 1 >/proc/sys/net/ipv4/conf/eth0/accept_local; echo 1 >/proc/sys/net/ipv4/conf/all/accept_local",
      );
      await using inOne = await Listener.start(one.namespace, PORT);
      await send(two.namespace, "192.0.2.1", 8000, "from two");
      expect(await inOne.senderOf("from two")).toBe("10.1.2.4");
      await send(one.namespace, "192.0.2.1", 8000, "from one");
      expect(await inOne.senderOf("from one")).toBe("10.1.2.3");
      await host.run("nft delete table ip published");
      await masquerade.tearDown(attachment("one"));
      await masquerade.tearDown(attachment("two"));
    });
  });

  test("G16: with one of two interfaces detached, the other's traffic is masqueraded still", async () => {
    await withNetwork(async (_, network) => {
      const one = await network.container("one", "10.1.2.3/24", "10.1.2.9/24", "fd00:2::3/64");
      await setUp(backend, attachment("one", "eth1"), "10.1.2.9/24");
      await setUp(backend, attachment("one"), "10.1.2.3/24");
      await masquerade.tearDown(attachment("one", "eth1"));
      await using outside = await Listener.start(network.outside, PORT);
      expect(await outside.heard(one.namespace, "192.0.2.2", "out")).toBe("192.0.2.1");
      await masquerade.tearDown(attachment("one"));
    });
  });

  test("an address that is used again before its old attachment's DEL stays masqueraded", async () => {
    await withNetwork(async (_, network) => {
      const one = await network.container("one", "10.1.2.3/24", "fd00:2::3/64");
      await attach("old", ...one.addresses);
      await attach("new", ...one.addresses);
      await masquerade.tearDown(attachment("old"));
      await using outside = await Listener.start(network.outside, PORT);
      expect(await outside.heard(one.namespace, "192.0.2.2", "out")).toBe("192.0.2.1");
      await masquerade.tearDown(attachment("new"));
    });
  });
});
