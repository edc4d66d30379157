/** Links, addresses, routes, and the result that tells of them. */
import { readFileSync } from "node:fs";
import { eventually } from "../../../test/support/eventually.ts";
import type { NamedNamespace } from "../../../test/support/scratch-host.ts";
import type { Bench } from "../../engine/bench.ts";
import { type JsonRecord, layer2 } from "../../engine/network.ts";
import { answers, hostVeths, linkNamed } from "../../kernel-facts.ts";
import { add, type Difference, endOf, ipam, network, type Result, whether } from "../difference.ts";

const ROUTER = `${import.meta.dir}/../../../test/support/router.ts`;

/** Addresses of a link of the host, link-local ones included. */
async function addressesOf({ host }: Bench, name: string): Promise<string[]> {
  const [link] = await host.json<{ addr_info: { local: string }[] }[]>(`ip -j addr show dev ${name}`);
  return (link?.addr_info ?? []).map(({ local }) => local.replace(/^fe80::.*/, "fe80::…"));
}

const bridgeMac = async ({ host }: Bench): Promise<string> => (await linkNamed(host, "cni0"))?.mac ?? "";

export const INTERFACES: readonly Difference[] = [
  {
    what: "the host's end of a pair",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const config = network({ isGateway: true, ipam: ipam(["fd00:1::/64"]) });
      await add(bench, config);
      const port = (await hostVeths(bench.host))[0]?.name ?? "";
      // The kernel gives the address in its own time, if it gives one; the bridge's comes after it.
      await eventually("the bridge's address", async () =>
        (await addressesOf(bench, "cni0")).includes("fe80::…"),
      );
      return {
        addresses: await addressesOf(bench, port),
        "gateway reached": await answers(container, "fd00:1::1"),
      };
    },
    shows: { addresses: [["fe80::…"], []], "gateway reached": [true, true] },
  },
  {
    what: "an IPv6 address that is used again",
    measure: async (bench) => {
      const config = network({ isGateway: true, ipam: ipam(["fd00:1::/126"]) });
      const neighbour = await bench.container("neighbour");
      await add(bench, config, { container: "neighbour" });
      const places = { "a neighbour": neighbour, "the host": bench.host };
      const macs = async (place: Pick<typeof neighbour, "json">) =>
        (await place.json<{ lladdr?: string }[]>("ip -j -6 neigh show to fd00:1::3")).map(
          ({ lladdr }) => lladdr,
        );
      await add(bench, config);
      for (const place of Object.values(places)) await place.run("ping -n -q -c 1 -w 30 fd00:1::3");
      const before = await Promise.all(Object.values(places).map(macs));
      await bench.call("DEL", config);
      await add(bench, config, { container: "c2" });
      const facts: Record<string, string> = {};
      for (const [index, [name, place]] of Object.entries(places).entries()) {
        const isNew = async () =>
          !(await macs(place)).some((mac) => mac !== undefined && before[index]?.includes(mac));
        const told = eventually(name, isNew, { deadline: 10_000 }).then(
          () => "the new one, or none",
          () => "the old one",
        );
        facts[`MAC that ${name} knows`] = await told;
      }
      return facts;
    },
    shows: {
      "MAC that a neighbour knows": ["the old one", "the new one, or none"],
      "MAC that the host knows": ["the old one", "the new one, or none"],
    },
  },
  {
    what: "MAC address of a bridge without a gateway address",
    measure: async (bench) => {
      const results = new Map<string, Result>();
      for (const id of ["c1", "c2"]) {
        results.set(id, await add(bench, network(), { container: id }));
      }
      const before = await bridgeMac(bench);
      // A bridge that has none of its own takes that of a port; that port goes.
      const ports = [...results].map(([id, { interfaces = [] }]) => ({ id, mac: interfaces[1]?.mac }));
      const source = ports.find(({ mac }) => mac === before);
      await bench.call("DEL", network(), { container: source?.id ?? "c1" });
      const after = await bridgeMac(bench);
      return {
        "is that of a port": source !== undefined,
        "after a DEL": before === after ? "the same" : "another",
      };
    },
    shows: { "is that of a port": [true, false], "after a DEL": ["another", "the same"] },
  },
  {
    what: "`prevResult` on ADD",
    measure: async (bench) => {
      const prevResult = {
        cniVersion: "1.1.0",
        interfaces: [{ name: "lo" }, { name: "other0", mac: "02:00:00:00:00:01" }],
        ips: [
          { address: "127.0.0.1/8", interface: 0 },
          { address: "192.0.2.7/24", interface: 1 },
        ],
      };
      const { interfaces = [], ips = [] } = await add(bench, network({ prevResult }));
      return {
        interfaces: interfaces.map(({ name }) => name.replace(/^veth\w+/, "veth…")),
        addresses: ips.map(({ address }) => address),
      };
    },
    shows: {
      interfaces: [
        ["cni0", "veth…", "eth0"],
        ["cni0", "veth…", "eth0", "other0"],
      ],
      addresses: [["10.1.0.2/24"], ["10.1.0.2/24", "192.0.2.7/24"]],
    },
  },
  {
    what: "`mtu` in the result, `mtu` and `advmss` of routes",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const route = { dst: "10.99.0.0/16", mtu: 1300, advmss: 1200 };
      const { interfaces = [] } = await add(
        bench,
        network({ mtu: 1400, isGateway: true, ipam: ipam(undefined, { routes: [route] }) }),
      );
      const [shown] = await container.json<{ metrics?: object[] }[]>("ip -j route show 10.99.0.0/16");
      return {
        "mtu in the result": interfaces.map(({ mtu }) => String(mtu ?? "none")),
        "of the route": JSON.stringify(shown?.metrics?.[0] ?? {}),
      };
    },
    shows: {
      "mtu in the result": [
        ["none", "none", "none"],
        ["1400", "1400", "1400"],
      ],
      "of the route": ["{}", '{"mtu":1300,"advmss":1200}'],
    },
  },
  {
    what: "two default routes (`isDefaultGateway` and the IPAM's)",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const config = network({
        isDefaultGateway: true,
        ipam: ipam(undefined, { routes: [{ dst: "0.0.0.0/0" }] }),
      });
      const end = endOf(await bench.call("ADD", config)).replace(/: .*: /, ": … ");
      return {
        ADD: end,
        "default routes": (await container.json<object[]>("ip -j route show default")).length,
      };
    },
    shows: { ADD: ["fails: … file exists", "succeeds"], "default routes": [1, 1] },
  },
  {
    what: "a route listed twice",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const routes = [{ dst: "10.99.0.0/16" }, { dst: "10.99.0.0/16" }];
      const end = whether(
        await bench.call("ADD", network({ isGateway: true, ipam: ipam(undefined, { routes }) })),
      );
      return { ADD: end, routes: (await container.json<object[]>("ip -j route show 10.99.0.0/16")).length };
    },
    shows: { ADD: ["fails", "succeeds"], routes: [1, 1] },
  },
  {
    what: "a default route of IPv6 where no range is IPv6",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const routes = [{ dst: "::/0" }];
      const config = network({ isGateway: true, ipam: ipam(undefined, { routes }) });
      const { exitCode, stderr } = await bench.call("ADD", config);
      return {
        "exit code": exitCode,
        routes: (await container.json<object[]>("ip -j -6 route show default")).length,
        "said on stderr": stderr.includes("::/0"),
      };
    },
    shows: { "exit code": [0, 0], routes: [1, 0], "said on stderr": [false, true] },
  },
  {
    what: "values that the kernel refuses (host bits in a route, an mtu below 1280 with IPv6)",
    measure: async (bench) => {
      const wrong = {
        "host bits": ipam(undefined, { routes: [{ dst: "10.99.3.4/16" }] }),
        "mtu 1200": ipam(["fd00:1::/64"]),
      };
      const facts: Record<string, string> = {};
      for (const [name, section] of Object.entries(wrong)) {
        const container = bench.host.container("c1");
        const config = network({ mtu: 1200, ipam: section });
        const outcome = await bench.call("ADD", config);
        const { code } = JSON.parse(outcome.stdout) as { code: number };
        const left = (await linkNamed(container, "eth0")) !== undefined;
        facts[name] = `code ${code}, ${left ? "an interface left" : "nothing left"}`;
        await bench.host.removeContainers();
        await bench.container("c1");
      }
      return facts;
    },
    shows: {
      "host bits": ["code 999, an interface left", "code 7, nothing left"],
      "mtu 1200": ["code 999, an interface left", "code 7, nothing left"],
    },
  },
  {
    what: "a result that its version cannot tell (0.2.0 without an address)",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const end = whether(await bench.call("ADD", layer2({ cniVersion: "0.2.0" })));
      return { ADD: end, "interface left": (await linkNamed(container, "eth0")) !== undefined };
    },
    shows: { ADD: ["fails", "fails"], "interface left": [true, false] },
  },
  {
    what: "processes of an ADD with `ipMasq`",
    measure: async (bench) => {
      const log = "/run/trace";
      const through = ["strace", "-f", "-e", "trace=execve", "-o", log];
      await add(bench, network({ isGateway: true, ipMasq: true }), { through });
      const started = [...readFileSync(log, "utf8").matchAll(/execve\("[^"]*\/([\w-]+)", /g)];
      const count = (name: string) => started.filter(([, program]) => program === name).length;
      return {
        programs: started.length,
        bridge: count("bridge"),
        "host-local": count("host-local"),
        iptables: count("iptables"),
      };
    },
    shows: { programs: [13, 1], bridge: [1, 1], "host-local": [1, 0], iptables: [11, 0] },
  },
  {
    what: "errors",
    measure: async (bench) => {
      const says = async (keys: JsonRecord, kernel: string, allowed: RegExp) => {
        const { stdout } = await bench.call("ADD", layer2(keys));
        const { msg } = JSON.parse(stdout) as { msg: string };
        if (msg.endsWith(`: ${kernel}`)) return kernel;
        return allowed.test(msg) ? "what is allowed" : msg;
      };
      const long = { bridge: "a-very-long-bridge-name" };
      return {
        "the bridge's name is too long": await says(long, "numerical result out of range", /1 to 15/),
        "the mtu is too large": await says({ mtu: 100_000 }, "invalid argument", /between 68 and 65535/),
      };
    },
    shows: {
      "the bridge's name is too long": ["numerical result out of range", "what is allowed"],
      "the mtu is too large": ["invalid argument", "what is allowed"],
    },
  },
  {
    what: "the first IPv6 network, where the host's own IPv6 comes by router advertisements",
    measure: async (bench) => {
      const { host } = bench;
      const router = await host.addNamespace("router");
      await host.run(`ip link add up0 type veth peer name up netns router
        sysctl -qw net.ipv6.conf.up0.accept_dad=0
        ip netns exec router sysctl -qw net.ipv6.conf.up.accept_dad=0
        ip -n router link set dev up up; ip link set up0 up`);
      const isLocal = async () => (await router.run("ip -6 addr show dev up scope link")).includes("fe80");
      await eventually("the router's address", isLocal);
      const defaults = async () => (await host.json<object[]>("ip -j -6 route show default")).length;
      const heard = () => host.run("ip -6 addr; ip -6 route; grep . /proc/sys/net/ipv6/conf/up0/accept_ra");
      // Again and again, as routers do: the first ones get lost while the link is coming up.
      const advertise = async () => {
        await router.run([process.execPath, ROUTER, "up", "1800", "2001:db8:9::", "3600"]);
        return (await defaults()) === 1;
      };
      await eventually("the host's route", advertise, { state: heard });
      await add(bench, network({ isGateway: true, ipam: ipam(["fd00:1::/64"]) }));
      return { "default routes after ADD": await defaults() };
    },
    shows: { "default routes after ADD": [0, 1] },
  },
  {
    what: "IPv6 addresses in the container and of the gateway",
    measure: async (bench) => {
      type Link = { addr_info: { local: string; nodad?: boolean }[] };
      const marked = async (place: Pick<NamedNamespace, "json">, name: string) => {
        const [link] = await place.json<Link[]>(`ip -j -6 addr show dev ${name}`);
        return link?.addr_info.find(({ local }) => local.startsWith("fd00"))?.nodad === true;
      };
      const [first, second] = [bench.host.container("c1"), bench.host.container("c2")];
      const config = network({ isGateway: true, ipam: ipam(["fd00:1::/64"]) });
      await add(bench, config);
      await add(bench, { ...config, enabledad: true }, { container: "c2" });
      return {
        "nodad in the container": await marked(first, "eth0"),
        "with enabledad": await marked(second, "eth0"),
        "on the bridge": await marked(bench.host, "cni0"),
      };
    },
    shows: {
      "nodad in the container": [false, true],
      "with enabledad": [false, false],
      "on the bridge": [false, true],
    },
  },
  {
    what: "queue and alias of the host's end",
    measure: async (bench) => {
      await add(bench, network());
      const [port] =
        await bench.host.json<{ txqlen?: number; ifalias?: string }[]>("ip -j link show type veth");
      return { txqlen: port?.txqlen ?? 0, "has an alias": port?.ifalias !== undefined };
    },
    shows: { txqlen: [0, 1000], "has an alias": [false, true] },
  },
  {
    what: "the gateway's address stands on the bridge already, behind another one",
    measure: async (bench) => {
      await bench.host.run(`ip link add cni0 type bridge
        ip addr add 10.9.9.1/24 dev cni0 && ip addr add 10.1.0.1/24 dev cni0`);
      return { ADD: whether(await bench.call("ADD", network({ isGateway: true }))) };
    },
    shows: { ADD: ["fails", "succeeds"] },
  },
  {
    what: "a route of link scope",
    measure: async (bench) => {
      const routes = [{ dst: "10.99.0.0/16", scope: 253 }];
      const config = network({ isGateway: true, ipam: ipam(undefined, { routes }) });
      return { ADD: whether(await bench.call("ADD", config)) };
    },
    shows: { ADD: ["fails", "succeeds"] },
  },
  {
    what: "a bridge with the spanning tree protocol",
    measure: async (bench) => {
      await bench.host.run(
        "ip link add cni0 type bridge stp_state 1 forward_delay 200 && ip link set cni0 up",
      );
      await add(bench, network());
      const [port] = await bench.host.json<{ state: string }[]>("bridge -j link");
      return { "state of the port": port?.state ?? "none" };
    },
    shows: { "state of the port": ["listening", "forwarding"] },
  },
];
