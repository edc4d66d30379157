/** ADD: rules A26–A28. */
import { type JsonRecord, layer2, netnsPath, network } from "../../engine/network.ts";
import { ofEach, spec } from "../case.ts";

spec("A26: ADD makes CNI_IFNAME in CNI_NETNS (bridge)", { containers: ["c1", "c2"] }, async (bench) => {
  for (const [container, ifname] of [
    ["c1", "eth0"],
    ["c1", "net1"],
    ["c2", "abcdefghijklmno"],
  ] as const) {
    await bench.accepts("ADD", network(), { container, ifname, label: `ADD ${ifname} in ${container}` });
    const link = (await bench.links(container)).get(ifname);
    bench.is(
      `${ifname} in ${container}: a veth that is up`,
      [link?.linkinfo?.info_kind, link?.flags.includes("UP")],
      ["veth", true],
    );
  }
  bench.is("links of c1", [...(await bench.links("c1")).keys()], ["lo", "eth0", "net1"]);
});

spec("A26: ADD sets lo up in CNI_NETNS (loopback)", async (bench) => {
  await bench.accepts("ADD", network(), { plugin: "loopback", ifname: "lo" });
  bench.is("lo is up", (await bench.links("c1")).get("lo")?.flags.includes("UP"), true);
  await bench.accepts("ADD", network(), { plugin: "loopback", ifname: "lo", label: "ADD again" });
});

for (const kind of ["bridge", "veth", "a pair of its own"])
  spec(`A26: the interface is there already: ${kind} (bridge)`, async (bench) => {
    if (kind === "a pair of its own") await bench.accepts("ADD", network(), { id: "id-before" });
    else await bench.run(`ip link add eth0 netns c1 type ${kind}`);
    const before = await bench.state();
    await bench.refuses({ code: 999, says: /already exists/ }, "ADD", network(), {
      label: "ADD of a name that is taken",
    });
    // The hint is only a hint (L3): the next address may be another one.
    await bench.unchanged("afterwards", before, /last_reserved_ip|\.bridgehead|\/networks(\/net(\/lock)?)?$/);
  });

const PREVIOUS: JsonRecord = {
  cniVersion: "1.1.0",
  interfaces: [
    { name: "dummy0", mac: "02:00:5e:00:00:01" },
    {
      name: "net9",
      mac: "02:00:5e:00:00:02",
      sandbox: netnsPath("c1"),
      mtu: 1400,
      socketPath: "/run/x.sock",
      pciID: "0000:00:01.0",
    },
  ],
  ips: [{ address: "192.0.2.7/24", gateway: "192.0.2.1", interface: 1 }],
  routes: [{ dst: "198.51.100.0/24", gw: "192.0.2.1" }],
  dns: { nameservers: ["192.0.2.53"] },
};

ofEach(["bridge", "loopback"], "A27: the prevResult of a plugin before comes out", async (bench, plugin) => {
  const added = await bench.accepts("ADD", network({ prevResult: PREVIOUS }));
  const {
    interfaces = [],
    ips = [],
    routes = [],
    dns,
  } = (added.document ?? {}) as Record<string, JsonRecord[]>;
  const previous = PREVIOUS as Record<string, JsonRecord[]>;
  // Behind its own: others take the bridge from the first.
  const own = plugin === "bridge" ? 3 : 0;
  bench.is("interfaces of before", interfaces.slice(own), previous.interfaces);
  const moved = previous.ips?.map((ip) => ({ ...ip, interface: Number(ip.interface) + own }));
  bench.is("addresses of before", ips.slice(-1), moved);
  bench.is("routes of before", routes.slice(-1), previous.routes);
  bench.is("dns of before", dns, previous.dns);
  if (plugin !== "bridge") return;
  bench.is(
    "its own address refers to its own interface",
    interfaces[Number(ips[0]?.interface)]?.name,
    "eth0",
  );
  await bench.accepts("DEL", network(), { after: added });
});

ofEach(["bridge", "loopback"], "A27: prevResult in older versions", async (bench) => {
  const old = {
    cniVersion: "0.4.0",
    interfaces: [{ name: "dummy0" }],
    ips: [{ version: "4", address: "192.0.2.7/24", interface: 0 }],
    dns: {},
  };
  const added = await bench.accepts("ADD", network({ cniVersion: "0.4.0", prevResult: old }));
  const { interfaces, ips } = (added.document ?? {}) as Record<string, JsonRecord[]>;
  bench.is("interface of before", interfaces?.at(-1)?.name, "dummy0");
  bench.is("address of before", ips?.at(-1)?.address, "192.0.2.7/24");
});

const LISTED = {
  "layer 2": layer2(),
  gateway: network(),
  "more options": network({ promiscMode: true, portIsolation: true, macspoofchk: true }),
};
for (const [what, config] of Object.entries(LISTED))
  spec(`A28: every interface that came is in the result: ${what} (bridge)`, async (bench) => {
    const names = async () => [...(await bench.links()).keys(), ...(await bench.links("c1")).keys()];
    const before = await names();
    const added = await bench.accepts("ADD", config);
    const listed = ((added.document?.interfaces ?? []) as JsonRecord[]).map(({ name }) => String(name));
    const came = (await names()).filter((name) => !before.includes(name));
    bench.is("listed and there", [...listed].sort(), came.sort());
    bench.is(
      "order: bridge, host end, container end",
      [listed[0], /^veth/.test(listed[1] ?? ""), listed[2]],
      ["cni0", true, "eth0"],
    );
  });
