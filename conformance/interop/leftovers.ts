/** What only one of the two removes, what the other's losses look like to CHECK, and GC beside containers of both. */
import { hostVeths, leases, leftOf, linkNamed, masqueraded, NOTHING_LEFT } from "../kernel-facts.ts";
import { NETWORK, NETWORKS, type Network, network } from "./network.ts";
import { type Container, type Node, nodeCase, type Who } from "./node.ts";

/** The namespace went before the DEL. Ours removes the rules of either side; the reference leaves them (G5). */
async function namespaceGone(node: Node, addedBy: Who): Promise<void> {
  const { host, judge } = node.scene;
  const [c1, c2, c3] = [
    await node.add(addedBy, "c1"),
    await node.add(addedBy, "c2"),
    await node.add(addedBy, "c3"),
  ];
  for (const container of [c1, c2]) await node.endNamespace(container);
  await node.del("ours", c1);
  await node.call("reference", "DEL", c2, { netns: "" });
  judge.same(
    "leases",
    Object.values(leases(NETWORK)),
    node.network.gateways.map(() => "c3 eth0"),
  );
  const rules = (await masqueraded(host)).length;
  const perContainer = node.network.gateways.length;
  judge.explained(
    "G5",
    "DEL without a namespace leaves the masquerade rules",
    rules === 2 * perContainer,
    rules,
  );
  await node.del("ours", c2, { netns: "" });
  await node.judgeAll("only c3 left");
  await node.check("ours", c3);
  // Without prevResult as well.
  await node.endNamespace(c3);
  await node.del("ours", c3, { netns: "", withResult: false });
  await node.judgeAll("none left");
}

type Damage = readonly [what: string, place: "host" | "container", script: string, message: RegExp];

const DAMAGES = ({ backend }: Network): readonly Damage[] => [
  ["lease", "host", "rm /var/lib/cni/networks/netx/*[.:]2", /Failed to find address added by container c1/],
  ["address", "container", "ip addr del 10.71.0.2/24 dev eth0", /Failed to match addr 10\.71\.0\.2\/24/],
  ["route", "container", "ip route del default", /Expected Route 0\.0\.0\.0\/0 not found/],
  [
    "masquerade rules",
    "host",
    backend === "iptables"
      ? "iptables -t nat -F POSTROUTING"
      : "nft flush chain inet cni_plugins_masquerade masq_checks",
    /masquerade rules of container .* are missing or altered/,
  ],
];

/** Ours finds what a container of the reference has lost; DEL by ours works all the same. */
async function losses(node: Node): Promise<void> {
  const { host } = node.scene;
  for (const [what, place, script, message] of DAMAGES(node.network)) {
    await host.run("rm -rf /var/lib/cni/networks/netx");
    const c1 = await node.add("reference", "c1");
    await node.check("ours", c1);
    await (place === "host" ? host : c1.namespace).run(script);
    await node.checkFails("ours", c1, message);
    await node.del("ours", c1);
    await node.judgeAll(`${what} lost, none left`);
    await host.removeNamespaces();
  }
}

/** GC of ours takes rules and leases of what is not valid, whoever added it, and leaves what is. */
async function collection(node: Node): Promise<void> {
  const all = await node.addAll("reference", "ours", "reference", "ours");
  const [c0, c1, c2, c3] = all as [Container, Container, Container, Container];
  for (const container of [c2, c3]) await node.endNamespace(container);
  const valid = [c0, c1].map(({ id: containerID, ifname }) => ({ containerID, ifname }));
  const { exitCode } = await node.collect("GC by the reference", "reference", valid);
  const stale = Object.keys(leases(NETWORK)).length / node.network.gateways.length;
  node.scene.judge.explained("G1", "GC is a silent success", exitCode === 0 && stale === 4, [
    exitCode,
    stale,
  ]);
  await node.collect("GC by ours", "ours", valid);
  for (const container of [c2, c3]) node.forget(container);
  await node.judgeAll("after GC");
  for (const container of [c0, c1]) await node.check("ours", container);
  await node.del("ours", c0);
  await node.del("reference", c1);
  await node.judgeAll("none left");
}

/** The spoof check of either side goes with the DEL of the other. */
async function spoofCheck(node: Node): Promise<void> {
  const { host, judge } = node.scene;
  for (const [adds, deletes] of [
    ["reference", "ours"],
    ["ours", "reference"],
  ] as const) {
    const container = await node.add(adds, `by-${adds}`);
    const before = await host.run("nft list ruleset bridge");
    judge.says(`spoof check by ${adds}`, before, new RegExp(`chain cni-br-iface-by-${adds}-eth0`));
    await node.check("ours", container);
    await node.del(deletes, container);
    const after = await host.run("nft list ruleset bridge");
    judge.holds(`spoof check after DEL by ${deletes}`, !after.includes("cni-br-iface-"), after);
  }
  judge.same("left", await leftOf(host, NETWORK), NOTHING_LEFT);
}

/** Two interfaces of one container share a chain of iptables. */
async function twoInterfaces(node: Node): Promise<void> {
  const { judge, host } = node.scene;
  for (const [first, second] of [
    ["reference", "ours"],
    ["ours", "reference"],
  ] as const) {
    const id = `with-${first}`;
    const eth0 = await node.add(first, id, "eth0");
    const eth1 = await node.add(second, id, "eth1");
    await node.judgeAll(`two interfaces, ${first} first`);
    await node.del("ours", eth0);
    await node.judgeAll("one interface left");
    judge.same("eth1 is up", (await linkNamed(eth1.namespace, "eth1"))?.up, true);
    await node.check("ours", eth1);
    await node.del("ours", eth1);
    await node.judgeAll("none left");
    judge.same("pairs", (await hostVeths(host)).length, 0);
  }
}

/** Between ADD and DEL the configuration got another backend, or none: DEL of either side looks into both. */
async function backendChanged(node: Node): Promise<void> {
  const other = node.network.backend === "iptables" ? "nftables" : "iptables";
  for (const ipMasqBackend of [other, undefined]) {
    const { ipMasqBackend: _, ...rest } = node.network.config;
    const config = ipMasqBackend === undefined ? rest : { ...rest, ipMasqBackend };
    const changed: Network = { ...node.network, config };
    for (const [adds, deletes] of [
      ["reference", "ours"],
      ["ours", "reference"],
      ["ours", "ours"],
    ] as const) {
      const id = `${adds}-${deletes}-${ipMasqBackend ?? "none"}`;
      await node.del(deletes, await node.add(adds, id), { network: changed });
      await node.judgeAll(`added by ${adds}, deleted by ${deletes} with backend ${ipMasqBackend ?? "none"}`);
    }
  }
}

const leftoverCase = (name: string, net: Network, body: (node: Node) => Promise<void>) =>
  nodeCase(`${name}, ${net.name}`, net, body, {
    keeps: [/^nft \{"(table|chain)":\{"family":"bridge","(name":"nat"|table":"nat","name":"PREROUTING")/],
  });

const FOR_GC = (backend: "iptables" | "nftables") => network({ backend, families: [4, 6] });

export const LEFTOVER_CASES = [
  ...NETWORKS.flatMap((net) =>
    (["reference", "ours"] as const).map((who) =>
      leftoverCase(`namespace gone, added by ${who}`, net, (node) => namespaceGone(node, who)),
    ),
  ),
  ...NETWORKS.map((net) => leftoverCase("losses of the reference's containers", net, losses)),
  ...(["iptables", "nftables"] as const).map((backend) => leftoverCase("GC", FOR_GC(backend), collection)),
  leftoverCase("spoof check", network({ keys: { macspoofchk: true } }), spoofCheck),
  ...NETWORKS.map((net) => leftoverCase("another backend on DEL", net, backendChanged)),
  ...NETWORKS.map((net) => leftoverCase("two interfaces of a container", net, twoInterfaces)),
];
