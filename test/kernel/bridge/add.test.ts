/** ADD on a real kernel, key by key, judged by `ip` and `bridge`. */
import { describe, expect } from "bun:test";
import {
  type AddResult,
  Attachment,
  attach,
  BRIDGE,
  hostLocal,
  lifeTest,
  networkTest,
  prepare,
  settings,
  shownLink,
  V4,
  V6,
  wholeLife,
} from "./network.ts";

const ROUTES = [{ dst: "0.0.0.0/0" }, { dst: "192.0.2.0/24", gw: "10.77.0.9" }];
const namesIn = ({ interfaces }: AddResult) => interfaces.map(({ name }) => name);
const mtusIn = ({ interfaces }: AddResult) => interfaces.map(({ mtu }) => mtu);

describe("ADD", () => {
  lifeTest(
    "B10-B16, B19, B21-B23, B31: IPv4 with gateway and routes",
    { isGateway: true, ipam: { ...hostLocal(V4), routes: ROUTES } },
    async (one, host) => {
      const { namespace: container, result, veth } = one;
      expect(namesIn(result)).toEqual([BRIDGE, expect.stringMatching(/^veth[0-9a-f]{8}$/), "eth0"]);
      expect(result.interfaces.map(({ sandbox }) => sandbox)).toEqual([undefined, undefined, container.path]);
      expect(result.ips).toEqual([{ interface: 2, address: "10.77.0.2/24", gateway: "10.77.0.1" }]);
      expect(result.routes).toEqual(ROUTES);

      const [bridge, port] = [await shownLink(host, BRIDGE), await shownLink(host, veth)];
      const inside = await shownLink(container, "eth0");
      expect(bridge.linkinfo?.info_kind).toBe("bridge");
      expect(result.interfaces.map(({ mac }) => mac)).toEqual([bridge.address, port.address, inside.address]);
      expect(mtusIn(result)).toEqual([bridge.mtu, port.mtu, inside.mtu]);
      expect([bridge.operstate, port.operstate, inside.operstate]).toEqual(["UP", "UP", "UP"]);
      expect(port.master).toBe(BRIDGE);
      expect(port.linkinfo?.info_slave_data?.state).toBe("forwarding");
      expect([port.link_index, inside.link_index]).toEqual([inside.ifindex, port.ifindex]);

      expect(await one.addresses()).toEqual(["10.77.0.2/24"]);
      expect(await host.run(`ip -4 -br addr show ${BRIDGE}`)).toContain("10.77.0.1/24");
      const routes = (await container.run("ip -4 route")).split("\n").map((line) => line.trim());
      expect(routes).toContain("default via 10.77.0.1 dev eth0");
      expect(routes).toContain("192.0.2.0/24 via 10.77.0.9 dev eth0");
      expect(await settings(container, "ipv4/conf/eth0/arp_notify", "ipv6/conf/eth0/accept_dad")).toBe("1 0");
      expect(await settings(host, `ipv6/conf/${BRIDGE}/accept_ra`, `ipv6/conf/${veth}/accept_ra`)).toBe(
        "0 0",
      );
      // A port speaks no IPv6 itself: its address and its routes would slow down each link that comes after it.
      expect(await host.run(`ip -6 addr show dev ${veth}; ip -6 route show table all dev ${veth}`)).toBe("");
      expect(await settings(host, "ipv4/ip_forward")).toBe("1");
      await container.run("ping -c1 -W2 10.77.0.1");
    },
  );

  lifeTest(
    "B19, B22, B24, G24: dual-stack leaves nothing tentative",
    {
      isGateway: true,
      ipam: { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] },
    },
    async (one, host) => {
      const { namespace: container, result } = one;
      expect(await container.run("ip -6 addr show dev eth0 tentative")).toBe("");
      expect(result.ips.map(({ address, gateway }) => [address, gateway])).toEqual([
        ["10.77.0.2/24", "10.77.0.1"],
        ["fd77::2/64", "fd77::1"],
      ]);
      expect(await one.addresses()).toEqual(["10.77.0.2/24", "fd77::2/64"]);
      expect(await container.run("ip -6 route show default")).toStartWith("default via fd77::1 dev eth0");
      const names = ["ipv6/conf/eth0/keep_addr_on_down", "ipv6/conf/lo/disable_ipv6"];
      expect(await settings(container, ...names)).toBe("1 0");
      expect(await settings(host, "ipv6/conf/all/forwarding")).toBe("1");
      await container.run("ping -c1 -W2 fd77::1");
    },
  );

  networkTest("B21: enabledad detects duplicates, and the address is ready on return", async (host) => {
    const keys = { isGateway: true, enabledad: true, ipam: hostLocal(V6) };
    const first = await attach(host, "c1", keys);
    expect(await first.namespace.run("ip -6 addr show dev eth0 tentative")).toBe("");
    const names = ["ipv6/conf/eth0/accept_dad", "ipv6/conf/eth0/enhanced_dad"];
    expect(await settings(first.namespace, ...names)).toBe("1 1");
    // The second container is to get an address that the first has taken behind the IPAM's back.
    await first.namespace.run("ip addr add fd77::3/64 dev eth0 nodad");
    const clash = await prepare(host, "c2", keys);
    const { msg } = await clash.failure("ADD");
    expect(msg).toContain('failed to settle addresses for "eth0": fd77::3/64 is in use');
    expect(await clash.interfaces()).toEqual(["lo"]);
    await first.del();
  });

  lifeTest(
    "B2, B20, G13: isDefaultGateway gives one default route for each family",
    { isDefaultGateway: true, ipam: { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }] } },
    async ({ namespace, result }) => {
      expect(result.routes).toEqual([{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd77::1" }]);
      const shown = await namespace.run("ip -4 route show default; ip -6 route show default");
      expect(shown).toMatch(/^default via 10\.77\.0\.1 dev eth0 *\ndefault via fd77::1 dev eth0 .*\n$/);
    },
  );

  lifeTest(
    "several addresses of a family",
    { ipam: hostLocal(V4, { subnet: "10.78.0.0/24" }, V6) },
    async (one) => expect(await one.addresses()).toEqual(["10.77.0.2/24", "10.78.0.2/24", "fd77::2/64"]),
  );

  lifeTest(
    "B8, B13, G18: mtu, hairpin and port isolation reach the kernel and the result",
    { mtu: 1400, hairpinMode: true, portIsolation: true },
    async ({ namespace, result, veth }, host) => {
      const port = await shownLink(host, veth);
      expect(port.linkinfo?.info_slave_data).toMatchObject({ hairpin: true, isolated: true });
      const [inside, bridge] = [await shownLink(namespace, "eth0"), await shownLink(host, BRIDGE)];
      expect([port.mtu, inside.mtu, bridge.mtu]).toEqual([1400, 1400, 1400]);
      expect(mtusIn(result)).toEqual([1400, 1400, 1400]);
    },
  );

  lifeTest("B11: promiscMode", { promiscMode: true }, async (_, host) =>
    expect((await shownLink(host, BRIDGE)).flags).toContain("PROMISC"),
  );

  const MAC = "02:00:5e:10:00:01";
  networkTest.each([
    [
      "runtimeConfig before args",
      { runtimeConfig: { mac: MAC }, args: { cni: { mac: "02:00:5e:10:00:02" } } },
      undefined,
    ],
    ["args before CNI_ARGS", { args: { cni: { mac: MAC } } }, "IgnoreUnknown=1;MAC=02:00:5e:10:00:03"],
    ["CNI_ARGS, with IP beside it (A51)", {}, `IP=10.77.0.50;MAC=${MAC}`],
  ])("B7: static MAC from %s", (host, _source, keys, args) =>
    wholeLife(
      host,
      keys,
      async (one) => {
        expect((await shownLink(one.namespace, "eth0")).address).toBe(MAC);
        expect(one.result.interfaces[2]?.mac).toBe(MAC);
        if (args?.includes("IP=")) expect(await one.addresses()).toEqual(["10.77.0.50/24"]);
      },
      args === undefined ? {} : { args },
    ),
  );

  const KINDS_OF_ROUTES = [
    { dst: "192.0.2.0/24", priority: 77, mtu: 1300, advmss: 1260 },
    { dst: "198.51.100.0/24", table: 1000 },
    { dst: "203.0.113.0/24", scope: 253 },
  ];
  lifeTest(
    "B23, G18: priority, table, scope, mtu and advmss of routes",
    { isGateway: true, ipam: { ...hostLocal(V4), routes: KINDS_OF_ROUTES } },
    async ({ namespace, result }) => {
      const shown = (await namespace.run("ip route show table all")).split("\n").map((line) => line.trim());
      expect(shown).toContain("192.0.2.0/24 via 10.77.0.1 dev eth0 metric 77 mtu 1300 advmss 1260");
      expect(shown).toContain("198.51.100.0/24 via 10.77.0.1 dev eth0 table 1000");
      expect(shown).toContain("203.0.113.0/24 dev eth0 scope link");
      expect(result.routes).toEqual(KINDS_OF_ROUTES);
    },
  );

  lifeTest("B30, G12: layer 2 without IPAM", { ipam: {} }, async ({ namespace, result }) => {
    expect(result.ips).toBeUndefined();
    expect((await shownLink(namespace, "eth0")).operstate).toBe("UP");
  });

  lifeTest(
    "B30: disableContainerInterface leaves the container's end down",
    { ipam: {}, disableContainerInterface: true },
    async ({ namespace }) => expect((await shownLink(namespace, "eth0")).flags).not.toContain("UP"),
  );

  networkTest(
    "A27, G11, K12: a prevResult given to ADD comes out behind ours, with indexes that hold",
    async (host) => {
      const prevResult = {
        cniVersion: "1.1.0",
        interfaces: [{ name: "before0", sandbox: "/var/run/netns/c1" }],
        ips: [{ interface: 0, address: "192.0.2.7/24" }],
        dns: { domain: "before.example" },
      };
      const one = await attach(host, "c1", { prevResult });
      expect(namesIn(one.result)).toEqual([BRIDGE, one.veth, "eth0", "before0"]);
      expect(one.result.ips).toEqual([
        { interface: 2, address: "10.77.0.2/24", gateway: "10.77.0.1" },
        { interface: 3, address: "192.0.2.7/24" },
      ]);
      expect(one.result.dns).toEqual({ domain: "before.example" });
      await one.del();
    },
  );

  networkTest(
    "K12: behind loopback the result is bridge's alone, and its ::1 switches no forwarding on",
    async (host) => {
      const before = await settings(host, "ipv6/conf/all/forwarding");
      const first = await prepare(host, "c1", { isGateway: true });
      const lo = await host.plugin("loopback", first.request("ADD"));
      const prevResult = lo.json<AddResult>();
      expect(namesIn(prevResult)).toEqual(["lo"]);
      const one = new Attachment(host, first.namespace, { ...first.config, prevResult });
      const { interfaces, ips, ...rest } = await one.add();
      expect(namesIn(one.result)).toEqual([BRIDGE, one.veth, "eth0"]);
      expect(ips).toEqual([{ interface: 2, address: "10.77.0.2/24", gateway: "10.77.0.1" }]);
      expect(await settings(host, "ipv6/conf/all/forwarding")).toBe(before);
      await one.check();
      // As the reference and builds of before have stored it: what came first is first.
      await one.check({
        ...rest,
        interfaces: [...prevResult.interfaces, ...interfaces],
        ips: [...prevResult.ips, ...ips.map((ip) => ({ ...ip, interface: 3 }))],
      });
      await one.del();
    },
  );

  networkTest("B32: configured dns replaces the IPAM's", async (host) => {
    await host.run("printf 'nameserver 192.0.2.53\\nsearch ipam.example\\n' >/run/resolv.conf");
    const ipam = { ...hostLocal(V4), resolvConf: "/run/resolv.conf" };
    const fromIpam = await attach(host, "c1", { ipam });
    expect(fromIpam.result.dns).toEqual({ nameservers: ["192.0.2.53"], search: ["ipam.example"] });
    const own = await attach(host, "c2", { ipam, dns: { nameservers: ["192.0.2.99"] } });
    expect(own.result.dns).toEqual({ nameservers: ["192.0.2.99"] });
    for (const one of [fromIpam, own]) await one.del();
    await host.run("rm /run/resolv.conf");
  });

  networkTest("G21: the bridge's MAC stays while ports come and go", async (host) => {
    const all: Attachment[] = [];
    const macs = new Set<string>();
    const note = async () => macs.add((await shownLink(host, BRIDGE)).address);
    for (const name of ["c1", "c2", "c3", "c4", "c5"]) {
      all.push(await attach(host, name, { ipam: {} }));
      await note();
    }
    for (const one of all) {
      await one.del();
      await note();
    }
    expect(macs.size).toBe(1);
  });

  networkTest("A21: results of all versions describe the same kernel state", async (host) => {
    const container = await host.addNamespace("c1");
    for (const cniVersion of ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
      const one = new Attachment(host, container, { cniVersion, isGateway: true, ipam: hostLocal(V4, V6) });
      const { ips, ip4, ip6 } = (await one.add()) as AddResult & Record<"ip4" | "ip6", { ip: string }>;
      const reported = ips?.map(({ address }) => address) ?? [ip4.ip, ip6.ip];
      expect(reported).toEqual(await one.addresses());
      await one.del();
    }
  });
});
