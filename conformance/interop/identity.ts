/** Whose an interface is when only its own side marks it: DEL and GC by ours of living containers of the reference, and back. */
import { hostVeths } from "../kernel-facts.ts";
import { NETWORKS, type Network, network } from "./network.ts";
import { type Container, type Node, nodeCase } from "./node.ts";

/** DEL without a namespace's path while the container lives, as `ctr run --cni` sends it. */
async function unnamed(node: Node): Promise<void> {
  for (const withResult of [true, false]) {
    const [mine, theirs] = [
      await node.add("ours", `ours-${withResult}`),
      await node.add("reference", `reference-${withResult}`),
    ];
    const other = await node.add("reference", `other-${withResult}`);
    for (const container of [mine, theirs]) {
      await node.del("ours", container, { netns: "", withResult });
      await node.judgeAll(`${container.id} deleted without its namespace`);
    }
    await node.check("ours", other);
    await node.check("reference", other);
    await node.del("ours", other);
  }
  await node.judgeAll("none left");
}

/** The host's ends of all have other names. */
async function renamed(node: Node): Promise<void> {
  const { host } = node.scene;
  const all = await node.addAll("reference", "ours", "reference", "ours");
  for (const { name } of await hostVeths(host))
    await host.run(`ip link set ${name} down; ip link set ${name} name pod${name.slice(4)} up`);
  const [c0, c1, c2, c3] = all as [Container, Container, Container, Container];
  await node.del("ours", c0, { netns: "" });
  await node.del("ours", c1, { netns: "" });
  await node.del("ours", c2);
  await node.del("reference", c3);
  const left = await host.run("ip -br link show type veth");
  node.scene.judge.same("pairs left", left.trim(), "");
  await node.judgeAll("none left");
}

/** GC of living containers of both sides: what is not listed goes; with an empty list they stay. */
async function livingCollected(node: Node): Promise<void> {
  const [listed, theirs, mine] = [
    await node.add("reference", "listed"),
    await node.add("reference", "theirs"),
    await node.add("ours", "mine"),
  ];
  const collect = async (when: string, ids: readonly string[] | null) => {
    const list = ids?.map((containerID) => ({ containerID, ifname: "eth0" })) ?? null;
    await node.collect(`GC ${when}`, "ours", list);
    await node.judgeAll(when);
  };
  await collect("with null", null);
  for (const container of [listed, theirs, mine]) {
    await node.check("ours", container);
    await node.check("reference", container);
  }
  for (const container of [theirs, mine]) node.forget(container);
  await collect("with one of three", ["listed"]);
  await node.check("reference", listed);
  await node.del("reference", listed);
  await node.judgeAll("none left");
}

const identityCase = (name: string, net: Network, body: (node: Node) => Promise<void>) =>
  nodeCase(`whose is it: ${name}, ${net.name}`, net, body);

export const IDENTITY_CASES = [
  ...NETWORKS.map((net) => identityCase("DEL without a namespace", net, unnamed)),
  ...NETWORKS.map((net) => identityCase("other names on the host", net, renamed)),
  ...(["iptables", "nftables"] as const).map((backend) =>
    identityCase("GC of what lives", network({ backend, families: [4, 6] }), livingCollected),
  ),
];
