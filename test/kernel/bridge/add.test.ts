/** ADD on a real kernel, key by key, judged by `ip` and `bridge`. */
import { describe, expect, test } from "bun:test";
import {
  type AddResult,
  Attachment,
  BRIDGE,
  configuration,
  hostLocal,
  shownLink,
  V4,
  V6,
  withNetwork,
} from "./network.ts";

describe("ADD", () => {
  test("B10-B16, B19, B21-B23, B31: IPv4 with gateway and routes", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const ipam = {
        ...hostLocal(V4),
        routes: [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9" }],
      };
      const attachment = new Attachment(host, container, configuration({ isGateway: true, ipam }));
      const result = await attachment.add();

      expect(result.interfaces.map(({ name }) => name)).toEqual([
        BRIDGE,
        expect.stringMatching(/^veth[0-9a-f]{8}$/),
        "eth0",
      ]);
      expect(result.interfaces.map(({ sandbox }) => sandbox)).toEqual([undefined, undefined, container.path]);
      expect(result.ips).toEqual([{ interface: 2, address: "10.77.0.2/24", gateway: "10.77.0.1" }]);
      expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9" }]);

      const veth = result.interfaces[1]?.name ?? "";
      const [bridge, port, inside] = [
        await shownLink(host, BRIDGE),
        await shownLink(host, veth),
        await shownLink(container, "eth0"),
      ];
      expect(bridge.linkinfo?.info_kind).toBe("bridge");
      expect(result.interfaces.map(({ mac }) => mac)).toEqual([bridge.address, port.address, inside.address]);
      expect(result.interfaces.map(({ mtu }) => mtu)).toEqual([bridge.mtu, port.mtu, inside.mtu]);
      expect([bridge.operstate, port.operstate, inside.operstate]).toEqual(["UP", "UP", "UP"]);
      expect(port.master).toBe(BRIDGE);
      expect(port.linkinfo?.info_slave_data?.state).toBe("forwarding");
      expect(port.link_index).toBe(inside.ifindex);
      expect(inside.link_index).toBe(port.ifindex);

      expect(await attachment.addresses()).toEqual(["10.77.0.2/24"]);
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toContain("10.77.0.1/24");
      const routes = (await container.run("ip -4 route")).split("\n").map((line) => line.trim());
      expect(routes).toContain("default via 10.77.0.1 dev eth0");
      expect(routes).toContain("192.0.2.0/24 via 10.77.0.9 dev eth0");
      expect(
        await container.run(
          "cat /proc/sys/net/ipv4/conf/eth0/arp_notify /proc/sys/net/ipv6/conf/eth0/accept_dad",
        ),
      ).toBe("1\n0\n");
      expect(
        await host.run(
          `cat /proc/sys/net/ipv6/conf/${BRIDGE}/accept_ra /proc/sys/net/ipv6/conf/${veth}/accept_ra`,
        ),
      ).toBe("0\n0\n");
      // A port speaks no IPv6 itself: its address and its routes would slow down each link that comes after it.
      expect(await host.run(`ip -6 addr show dev ${veth}`)).toBe("");
      expect(await host.run(`ip -6 route show table all dev ${veth}`)).toBe("");
      expect(await host.run("cat /proc/sys/net/ipv4/ip_forward")).toBe("1\n");
      await container.run("ping -c1 -W2 10.77.0.1");
      await attachment.check(result);
      await attachment.del();
    }));

  test("B19, B22, B24, G24: dual-stack leaves nothing tentative", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const ipam = { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] };
      const attachment = new Attachment(host, container, configuration({ isGateway: true, ipam }));
      const result = await attachment.add();
      expect(await container.run("ip -6 addr show dev eth0 tentative")).toBe("");
      expect(result.ips.map(({ address, gateway }) => [address, gateway])).toEqual([
        ["10.77.0.2/24", "10.77.0.1"],
        ["fd77::2/64", "fd77::1"],
      ]);
      expect(await attachment.addresses()).toEqual(["10.77.0.2/24", "fd77::2/64"]);
      expect(await container.run("ip -6 route show default")).toStartWith("default via fd77::1 dev eth0");
      expect(
        await container.run(
          "cat /proc/sys/net/ipv6/conf/eth0/keep_addr_on_down /proc/sys/net/ipv6/conf/lo/disable_ipv6",
        ),
      ).toBe("1\n0\n");
      expect(await host.run("cat /proc/sys/net/ipv6/conf/all/forwarding")).toBe("1\n");
      await container.run("ping -c1 -W2 fd77::1");
      await attachment.check(result);
      await attachment.del();
    }));

  test("B21: enabledad detects duplicates, and the address is ready on return", () =>
    withNetwork(async (host) => {
      const [first, second] = [await host.addNamespace("c1"), await host.addNamespace("c2")];
      const config = configuration({ isGateway: true, enabledad: true, ipam: hostLocal(V6) });
      const attachment = new Attachment(host, first, config);
      await attachment.add();
      expect(await first.run("ip -6 addr show dev eth0 tentative")).toBe("");
      expect(
        await first.run(
          "cat /proc/sys/net/ipv6/conf/eth0/accept_dad /proc/sys/net/ipv6/conf/eth0/enhanced_dad",
        ),
      ).toBe("1\n1\n");
      // The second container is to get an address that the first has taken behind the IPAM's back.
      await first.run("ip addr add fd77::3/64 dev eth0 nodad");
      const clash = new Attachment(host, second, config);
      const error = await clash.failure("ADD");
      expect(error.msg).toContain('failed to settle addresses for "eth0": fd77::3/64 is in use');
      expect(await second.json("ip -j link")).toHaveLength(1);
      await attachment.del();
    }));

  test("B2, B20, G13: isDefaultGateway gives one default route for each family", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const ipam = { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }] };
      const attachment = new Attachment(host, container, configuration({ isDefaultGateway: true, ipam }));
      const result = await attachment.add();
      expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd77::1" }]);
      expect((await container.run("ip -4 route show default")).trim()).toBe("default via 10.77.0.1 dev eth0");
      expect(await container.run("ip -6 route show default")).toStartWith("default via fd77::1 dev eth0");
      await attachment.check(result);
      await attachment.del();
    }));

  test("several addresses of a family", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(
        host,
        container,
        configuration({ ipam: hostLocal(V4, { subnet: "10.78.0.0/24" }, V6) }),
      );
      const result = await attachment.add();
      expect(await attachment.addresses()).toEqual(["10.77.0.2/24", "10.78.0.2/24", "fd77::2/64"]);
      await attachment.check(result);
      await attachment.del();
    }));

  test("B8, B13, G18: mtu, hairpin and port isolation reach the kernel and the result", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(
        host,
        container,
        configuration({ mtu: 1400, hairpinMode: true, portIsolation: true }),
      );
      const result = await attachment.add();
      const port = await shownLink(host, result.interfaces[1]?.name ?? "");
      expect(port.linkinfo?.info_slave_data).toMatchObject({ hairpin: true, isolated: true });
      expect([
        port.mtu,
        (await shownLink(container, "eth0")).mtu,
        (await shownLink(host, BRIDGE)).mtu,
      ]).toEqual([1400, 1400, 1400]);
      expect(result.interfaces.map(({ mtu }) => mtu)).toEqual([1400, 1400, 1400]);
      await attachment.check(result);
      await attachment.del();
    }));

  test("B11: promiscMode", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, configuration({ promiscMode: true }));
      const result = await attachment.add();
      expect((await shownLink(host, BRIDGE)).flags).toContain("PROMISC");
      await attachment.check(result);
      await attachment.del();
    }));

  const MAC = "02:00:5e:10:00:01";
  test.each([
    [
      "runtimeConfig before args",
      { runtimeConfig: { mac: MAC }, args: { cni: { mac: "02:00:5e:10:00:02" } } },
      undefined,
    ],
    ["args before CNI_ARGS", { args: { cni: { mac: MAC } } }, "IgnoreUnknown=1;MAC=02:00:5e:10:00:03"],
    ["CNI_ARGS, with IP beside it (A51)", {}, `IP=10.77.0.50;MAC=${MAC}`],
  ] as const)("B7: static MAC from %s", (_source, keys, args) =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(
        host,
        container,
        configuration(keys),
        args === undefined ? {} : { args },
      );
      const result = await attachment.add();
      expect((await shownLink(container, "eth0")).address).toBe(MAC);
      expect(result.interfaces[2]?.mac).toBe(MAC);
      if (args?.includes("IP=")) expect(await attachment.addresses()).toEqual(["10.77.0.50/24"]);
      await attachment.check(result);
      await attachment.del();
    }),
  );

  test("B23, G18: priority, table, scope, mtu and advmss of routes", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const routes = [
        { dst: "192.0.2.0/24", priority: 77, mtu: 1300, advmss: 1260 },
        { dst: "198.51.100.0/24", table: 1000 },
        { dst: "203.0.113.0/24", scope: 253 },
      ];
      const attachment = new Attachment(
        host,
        container,
        configuration({ isGateway: true, ipam: { ...hostLocal(V4), routes } }),
      );
      const result = await attachment.add();
      const shown = (await container.run("ip route show table all")).split("\n").map((line) => line.trim());
      expect(shown).toContain("192.0.2.0/24 via 10.77.0.1 dev eth0 metric 77 mtu 1300 advmss 1260");
      expect(shown).toContain("198.51.100.0/24 via 10.77.0.1 dev eth0 table 1000");
      expect(shown).toContain("203.0.113.0/24 dev eth0 scope link");
      expect(result.routes).toEqual(routes);
      await attachment.check(result);
      await attachment.del();
    }));

  test("B30, G12: layer 2 without IPAM", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(host, container, configuration({ ipam: {} }));
      const result = await attachment.add();
      expect(result.ips).toBeUndefined();
      expect((await shownLink(container, "eth0")).operstate).toBe("UP");
      await attachment.check(result);
      await attachment.del();
    }));

  test("B30: disableContainerInterface leaves the container's end down", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const attachment = new Attachment(
        host,
        container,
        configuration({ ipam: {}, disableContainerInterface: true }),
      );
      const result = await attachment.add();
      expect((await shownLink(container, "eth0")).flags).not.toContain("UP");
      await attachment.check(result);
      await attachment.del();
    }));

  test("A27, G11, K12: a prevResult given to ADD comes out behind ours, with indexes that hold", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const prevResult = {
        cniVersion: "1.1.0",
        interfaces: [{ name: "before0", sandbox: container.path }],
        ips: [{ interface: 0, address: "192.0.2.7/24" }],
        dns: { domain: "before.example" },
      };
      const attachment = new Attachment(host, container, configuration({ prevResult }));
      const result = await attachment.add();
      expect(result.interfaces.map(({ name }) => name)).toEqual([
        BRIDGE,
        expect.any(String),
        "eth0",
        "before0",
      ]);
      expect(result.ips).toEqual([
        { interface: 2, address: "10.77.0.2/24", gateway: "10.77.0.1" },
        { interface: 3, address: "192.0.2.7/24" },
      ]);
      expect(result.dns).toEqual({ domain: "before.example" });
      await attachment.del();
    }));

  test("K12: behind loopback the result is bridge's alone, and its ::1 switches no forwarding on", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      const config = configuration({ isGateway: true });
      const call = { containerId: "c1", netns: container.path, ifname: "eth0" };
      const forwarding = () => host.run("sysctl -n net.ipv6.conf.all.forwarding");
      const before = await forwarding();
      const lo = await host.plugin("loopback", { command: "ADD", ...call, config });
      const prevResult = lo.json<AddResult>();
      expect(prevResult.interfaces.map(({ name }) => name)).toEqual(["lo"]);
      const attachment = new Attachment(host, container, { ...config, prevResult });
      const result = await attachment.add();
      expect(result.interfaces.map(({ name }) => name)).toEqual([BRIDGE, expect.any(String), "eth0"]);
      expect(result.ips).toEqual([{ interface: 2, address: "10.77.0.2/24", gateway: "10.77.0.1" }]);
      expect(await forwarding()).toBe(before);
      await attachment.check(result);
      // As the reference and builds of before have stored it: what came first is first.
      const { interfaces, ips } = result;
      await attachment.check({
        ...result,
        interfaces: [...prevResult.interfaces, ...interfaces],
        ips: [...prevResult.ips, ...ips.map((ip) => ({ ...ip, interface: 3 }))],
      });
      await attachment.del();
    }));

  test("B32: configured dns replaces the IPAM's", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      await host.run("printf 'nameserver 192.0.2.53\\nsearch ipam.example\\n' >/run/resolv.conf");
      const ipam = { ...hostLocal(V4), resolvConf: "/run/resolv.conf" };
      const fromIpam = new Attachment(host, container, configuration({ ipam }));
      expect((await fromIpam.add()).dns).toEqual({ nameservers: ["192.0.2.53"], search: ["ipam.example"] });
      await fromIpam.del();
      const own = new Attachment(
        host,
        container,
        configuration({ ipam, dns: { nameservers: ["192.0.2.99"] } }),
      );
      expect((await own.add()).dns).toEqual({ nameservers: ["192.0.2.99"] });
      await own.del();
      await host.run("rm /run/resolv.conf");
    }));

  test("G21: the bridge's MAC stays while ports come and go", () =>
    withNetwork(async (host) => {
      const config = configuration({ ipam: {} });
      const attachments = [];
      for (let index = 1; index <= 5; index++)
        attachments.push(new Attachment(host, await host.addNamespace(`c${index}`), config));
      const macs = new Set<string>();
      for (const attachment of attachments) {
        await attachment.add();
        macs.add((await shownLink(host, BRIDGE)).address);
      }
      for (const attachment of attachments) {
        await attachment.del();
        macs.add((await shownLink(host, BRIDGE)).address);
      }
      expect(macs.size).toBe(1);
    }));

  test("A21: results of all versions describe the same kernel state", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      for (const cniVersion of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
        const attachment = new Attachment(
          host,
          container,
          configuration({ cniVersion, isGateway: true, ipam: hostLocal(V4, V6) }),
        );
        const result = (await attachment.add()) as unknown as Record<
          string,
          { ip?: string } | { address: string }[]
        >;
        const shown = await attachment.addresses();
        const reported = Array.isArray(result.ips)
          ? result.ips.map(({ address }) => address)
          : [result.ip4, result.ip6].map((family) => (family as { ip?: string }).ip ?? "");
        expect(reported).toEqual(shown);
        await attachment.del();
      }
    }));
});
