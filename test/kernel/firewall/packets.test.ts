/** Packets decide which policy lets what through, in both backends and both families (F8, F9, F20, F32, F39). */
import { describe, expect } from "bun:test";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";
import { Listener, send } from "../netfilter/network.ts";
import { container, type Firewall, firewalled, firewallTest, OTHER } from "./network.ts";

const PORT = 5353;
const PUBLISHED = 8080;

/** A machine behind the host's uplink. */
async function outsideOf(host: ScratchHost): Promise<NamedNamespace> {
  const outside = await host.addNamespace("outside");
  await host.run(`
    set -e
    ip link add up0 type veth peer name eth0 netns outside
    ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad
    ip link set up0 up
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`);
  await outside.run(`
    set -e
    ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad
    ip link set eth0 up
    ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1`);
  return outside;
}

/** The address of a family. */
const addressIn = (family: string, { v4, v6 }: Firewall): string => (family === "IPv4" ? v4 : v6);

/** Sends datagrams to a container, and tells which arrive. */
class Target implements AsyncDisposable {
  private readonly listener: Listener;
  private readonly address: string;
  private count = 0;

  private constructor(listener: Listener, address: string) {
    this.listener = listener;
    this.address = address;
  }

  static async at(firewall: Firewall, address: string): Promise<Target> {
    return new Target(await Listener.start(firewall.attachment.namespace, PORT), address);
  }

  /** Whether a datagram from there arrives, sent to the container or to another address that leads to it. */
  async isReachedFrom(from: NamedNamespace, address = this.address, port = PORT): Promise<boolean> {
    const text = `datagram-${++this.count}`;
    await send(from, address, port, text);
    // What the host itself sends is not forwarded, and arrives after everything that was forwarded before.
    await this.listener.heard(undefined, this.address, `marker-${this.count}`);
    return this.listener.lines.some((line) => line.endsWith(` ${text}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener[Symbol.asyncDispose]();
  }
}

describe.each(["iptables", "nftables"])("%s", (backend) => {
  const ROWS = ["open yes yes yes", "same-bridge yes no yes", "isolated no no yes"].flatMap((row) =>
    ["IPv4", "IPv6"].map((family) => [`${row} ${family}`] as const),
  );

  firewallTest.each(ROWS)(
    "F8, F9, F39: policy, from a neighbour, another bridge, outside: %s",
    async (host, row) => {
      const [ingressPolicy = "", neighbour, bridge, outside, family = ""] = row.split(" ");
      const keys = { backend, ingressPolicy };
      const away = await outsideOf(host);
      const one = await firewalled(host, "c1", keys);
      const two = await firewalled(host, "c2", keys);
      const other = await firewalled(host, "c3", keys, OTHER);
      {
        await using target = await Target.at(one, addressIn(family, one));
        const yes = (word: string | undefined) => word === "yes";
        expect(await target.isReachedFrom(two.attachment.namespace)).toBe(yes(neighbour));
        expect(await target.isReachedFrom(other.attachment.namespace)).toBe(yes(bridge));
        expect(await target.isReachedFrom(away)).toBe(yes(outside));
      }
      for (const each of [one, two, other]) {
        await each.del();
        await each.attachment.del();
      }
      await host.run("ip link del up0");
    },
  );

  firewallTest("F7: an administrator's rule has the last word", async (host) => {
    const away = await outsideOf(host);
    const one = await firewalled(host, "c1", { backend });
    const chain = backend === "iptables" ? "ip filter" : "inet cni_firewall";
    await host.run(`nft insert rule ${chain} CNI-ADMIN ip saddr 192.0.2.2 drop`);
    {
      await using target = await Target.at(one, one.v4);
      expect(await target.isReachedFrom(away)).toBe(false);
      await host.run(`nft flush chain ${chain} CNI-ADMIN`);
      expect(await target.isReachedFrom(away)).toBe(true);
    }
    await one.del();
    await one.attachment.del();
    await host.run("ip link del up0");
  });
});

describe("FORWARD drops", () => {
  firewallTest.each(["IPv4", "IPv6"])(
    "F32: published ports answer, the container itself does not (%s)",
    async (host, family) => {
      const v4 = family === "IPv4";
      const iptables = v4 ? "iptables" : "ip6tables";
      const away = await outsideOf(host);
      await host.run(`${iptables} -P FORWARD DROP`);
      const one = await container(host, "c1");
      const to = v4 ? one.v4 : `[${one.v6}]`;
      await host.run(
        `${iptables} -t nat -A PREROUTING -i up0 -p udp --dport ${PUBLISHED} -j DNAT --to-destination ${to}:${PORT}`,
      );
      const uplink = v4 ? "192.0.2.1" : "2001:db8::1";
      {
        await using target = await Target.at(one, addressIn(family, one));
        expect(await target.isReachedFrom(away, uplink, PUBLISHED)).toBe(false);
        await one.add();
        expect(await target.isReachedFrom(away, uplink, PUBLISHED)).toBe(true);
        expect(await target.isReachedFrom(away)).toBe(false);
        // What the container asks for is answered.
        await using outside = await Listener.start(away, PORT);
        await outside.heard(one.attachment.namespace, v4 ? "192.0.2.2" : "2001:db8::2", "out");
      }
      await one.del();
      await one.attachment.del();
      await host.run(`nft flush ruleset; ip link del up0`);
    },
  );

  firewallTest("F32: with acceptPublished false published ports stay closed", async (host) => {
    const away = await outsideOf(host);
    await host.run("iptables -P FORWARD DROP");
    const one = await firewalled(host, "c1", { acceptPublished: false });
    await host.run(
      `iptables -t nat -A PREROUTING -i up0 -p udp --dport ${PUBLISHED} -j DNAT --to-destination ${one.v4}:${PORT}`,
    );
    {
      await using target = await Target.at(one, one.v4);
      expect(await target.isReachedFrom(away, "192.0.2.1", PUBLISHED)).toBe(false);
    }
    await one.check();
    await one.del();
    await one.attachment.del();
    await host.run("nft flush ruleset; ip link del up0");
  });
});
