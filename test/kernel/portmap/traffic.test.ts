/** Connections decide whether ports are published: who reaches the container, and whom it sees (M20, chain-pains 1). */
import { describe, expect, test } from "bun:test";
import { NamedNamespace, type ScratchHost } from "../../support/scratch-host.ts";
import { withNetwork } from "../netfilter/network.ts";
import { type Backend, Pod } from "./pod.ts";
import { isClosed, Server, seen } from "./traffic.ts";

const PORTS = [{ hostPort: 8080, containerPort: 80 }];

describe.each<Backend>(["iptables", "nftables"])("%s", (backend) => {
  test.each([0, 1])(
    "M20, M51: everyone reaches the port, with bridge-nf-call-iptables %d",
    async (bridged) => {
      await withNetwork(async (host, network) => {
        await bridgeFilter(host, bridged);
        const one = await network.container("one", "10.1.2.3/24", "fd00:2::3/64");
        const two = await network.container("two", "10.1.2.4/24", "fd00:2::4/64");
        const other = await network.container("other", "10.1.3.5/24", "fd00:3::5/64");
        await network.outside.run(
          "ip route add 10.1.0.0/16 via 192.0.2.1; ip -6 route add fd00::/16 via 2001:db8::1",
        );
        // With bridge-nf-call-iptables, a packet goes from port to port without the bridge's own interface.
        await host.run(`bridge link set dev ${one.port} hairpin ${bridged ? "on" : "off"}`);
        const pod = new Pod(host, one);
        await pod.add(PORTS, { backend });
        await using _ = await Server.start(one.namespace, 80);
        const table = {
          "127.0.0.1": await seen(undefined, "127.0.0.1", 8080),
          "127.0.0.2": await seen(undefined, "127.0.0.2", 8080),
          "an own address": await seen(undefined, "192.0.2.1", 8080),
          outside: await seen(network.outside, "192.0.2.1", 8080),
          itself: await seen(one.namespace, "10.1.2.1", 8080),
          neighbour: await seen(two.namespace, "10.1.2.1", 8080),
          "the neighbour directly": await seen(two.namespace, "10.1.2.3", 80),
          other: await seen(other.namespace, "10.1.3.1", 8080),
          "outside by IPv6": await seen(network.outside, "2001:db8::1", 8080),
          "itself by IPv6": await seen(one.namespace, "fd00:2::1", 8080),
          "neighbour by IPv6": await seen(two.namespace, "fd00:2::1", 8080),
          "an own address by IPv6": await seen(undefined, "2001:db8::1", 8080),
        };
        expect(table).toEqual({
          "127.0.0.1": "10.1.2.1",
          "127.0.0.2": "10.1.2.1",
          "an own address": "192.0.2.1",
          outside: "192.0.2.2",
          itself: "10.1.2.1",
          neighbour: "10.1.2.1",
          "the neighbour directly": "10.1.2.4",
          other: "10.1.3.5",
          "outside by IPv6": "2001:db8::2",
          "itself by IPv6": "fd00:2::1",
          "neighbour by IPv6": "fd00:2::1",
          "an own address by IPv6": "2001:db8::1",
        });
        await pod.check(PORTS, { backend });
        await pod.del();
        expect(await isClosed(network.outside, "192.0.2.1", 8080)).toBe(true);
        await bridgeFilter(host, 1);
      });
    },
  );

  test("M52: masqAll hides every client", async () => {
    await withNetwork(async (host, network) => {
      const one = await network.container("one", "10.1.2.3/24", "fd00:2::3/64");
      const pod = new Pod(host, one);
      await pod.add(PORTS, { backend, masqAll: true });
      await using _ = await Server.start(one.namespace, 80);
      expect(await seen(network.outside, "192.0.2.1", 8080)).toBe("10.1.2.1");
      await pod.check(PORTS, { backend, masqAll: true });
      await pod.del();
    });
  });

  test("M18, M53: a service on 127.0.0.1 of the host stays hidden, and the setting goes with the last port", async () => {
    await withNetwork(async (host, network) => {
      const one = await network.container("one", "10.1.2.3/24", "fd00:2::3/64");
      const two = await network.container("two", "10.1.2.4/24", "fd00:2::4/64");
      const setting = async () => (await host.run("cat /proc/sys/net/ipv4/conf/br0/route_localnet")).trim();
      await using _ = await Server.start(undefined, 9099, "127.0.0.1");
      await two.namespace.run(
        "ip link set lo down; ip addr flush dev lo; ip route add 127.0.0.0/8 via 10.1.2.1; echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet",
      );
      const pods = [new Pod(host, one), new Pod(host, two)];
      expect(await setting()).toBe("0");
      for (const [index, pod] of pods.entries())
        await pod.add([{ hostPort: 8080 + index, containerPort: 80 }], { backend });
      expect(await setting()).toBe("1");
      expect(await isClosed(two.namespace, "127.0.0.1", 9099)).toBe(true);
      await host.run("nft delete rule ip cni_hostport_guard prerouting handle 5");
      // Without the guard it can be read: the test sees what the guard is for.
      expect(await seen(two.namespace, "127.0.0.1", 9099)).toBe("10.1.2.4");
      await pods[0]?.del();
      expect(await setting()).toBe("1");
      await pods[1]?.del();
      expect(await setting()).toBe("0");
    });
  });

  test("M47: the newest container has the port, in all orders of DEL", async () => {
    await withNetwork(async (host, network) => {
      const pods = [
        new Pod(host, await network.container("one", "10.1.2.3/24", "fd00:2::3/64")),
        new Pod(host, await network.container("two", "10.1.2.4/24", "fd00:2::4/64")),
      ] as const;
      const [one, two] = pods;
      const port = 8080;
      await using _first = await Server.start(new NamedNamespace("one"), 81);
      await using _second = await Server.start(new NamedNamespace("two"), 82);
      const first = [{ hostPort: port, containerPort: 81 }];
      const second = [{ hostPort: port, containerPort: 82 }];
      const reached = async () =>
        (await host.run(["conntrack", "-L", "-p", "tcp", "--orig-port-dst", "8080"])).match(
          /src=(10\.1\.2\.\d) dst=192/,
        )?.[1];
      for (const order of [
        [one, two],
        [two, one],
      ]) {
        await one.add(first, { backend });
        expect(await two.add(second, { backend })).toContain(
          'host port 8080/tcp led to container "one" (network "net1"); from now on it leads to this container',
        );
        await host.run("conntrack -F");
        expect(await seen(network.outside, "192.0.2.1", port)).toBe("192.0.2.2");
        expect(await reached()).toBe("10.1.2.4");
        const { msg } = await one.failure("CHECK", first, { backend });
        expect(msg).toContain('host port 8080/tcp now leads to 10.1.2.4:82 of container "two"');
        await order[0]?.del();
        await host.run("conntrack -F");
        expect(await seen(network.outside, "192.0.2.1", port)).toBe("192.0.2.2");
        expect(await reached()).toBe(order[0] === one ? "10.1.2.4" : "10.1.2.3");
        await order[1]?.del();
        expect(await isClosed(network.outside, "192.0.2.1", port)).toBe(true);
      }
    });
  });

  test("M21, M48: a program of the host that listens on the port is named", async () => {
    await withNetwork(async (host, network) => {
      const one = new Pod(host, await network.container("one", "10.1.2.3/24", "fd00:2::3/64"));
      await using server = await Server.start(undefined, 8080);
      await using _ = await Server.start(new NamedNamespace("one"), 80);
      const words = await one.add([...PORTS, { hostPort: 8081, containerPort: 81 }], { backend });
      expect(words).toMatch(
        new RegExp(
          `^host port 8080/tcp now leads to the container: \\S+ \\(process ${server.pid}\\) listens on it and gets no connections any more\n$`,
        ),
      );
      // A runtime that holds the port itself knows that.
      const held = await host.plugin(
        "portmap",
        one.request("ADD", [{ hostPort: 8082, containerPort: 82 }], { backend }),
        [process.execPath, `${import.meta.dir}/tcp.ts`, "hold", "8082"],
      );
      expect([held.exitCode, held.stderr]).toEqual([0, ""]);
      await one.add(PORTS, { backend });
      // The container answers, not the host.
      expect(await seen(undefined, "127.0.0.1", 8080)).toBe("10.1.2.1");
      await one.del();
    });
  });

  test("M58, M54: conditions hold for their own mappings only", async () => {
    await withNetwork(async (host, network) => {
      const one = new Pod(host, await network.container("one", "10.1.2.3/24", "fd00:2::3/64"));
      const two = new Pod(host, await network.container("two", "10.1.2.4/24", "fd00:2::4/64"));
      const words =
        backend === "iptables"
          ? ["-s", "192.0.2.0/24"]
          : ["ip", "saddr", "{", "192.0.2.0/24,", "198.51.100.1", "}"];
      const limited = { backend, conditionsV4: words };
      await one.add(PORTS, limited);
      await two.add([{ hostPort: 8081, containerPort: 80 }], { backend });
      await using _first = await Server.start(new NamedNamespace("one"), 80);
      await using _second = await Server.start(new NamedNamespace("two"), 80);
      expect(await seen(network.outside, "192.0.2.1", 8080)).toBe("192.0.2.2");
      expect(await isClosed(network.foreign, "10.50.0.1", 8080)).toBe(true);
      expect(await seen(network.foreign, "10.50.0.1", 8081)).toBe("10.50.0.2");
      await one.check(PORTS, limited);
      await one.del(limited);
      await two.del();
    });
  });
});

/** The settings are of the network namespace, so they are put back. */
async function bridgeFilter(host: ScratchHost, value: number): Promise<void> {
  for (const name of ["iptables", "ip6tables"])
    await host.run(`echo ${value} >/proc/sys/net/bridge/bridge-nf-call-${name}`);
}
