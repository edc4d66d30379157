/** Services by kube-proxy, in both of its modes, and a port of the node by portmap. */
import { deepEqual, equal, notEqual } from "node:assert/strict";
import { outcomeOf } from "../../../test/support/command.ts";
import { eventually } from "../../../test/support/eventually.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { NODES } from "../lan.ts";
import { network } from "../network.ts";
import type { ProxyMode } from "../node.ts";
import {
  addressesOf,
  asking,
  deployment,
  expectNothingLeft,
  expectReach,
  inPod,
  type Pod,
  remove,
  rolledOut,
} from "../pods.ts";

const HOST_PORT = 8080;

interface Service {
  readonly spec: {
    readonly clusterIPs: readonly string[];
    readonly ports: readonly { readonly nodePort: number }[];
  };
}

const service = (name: string): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: {
    type: "NodePort",
    ipFamilyPolicy: "RequireDualStack",
    selector: { app: name },
    ports: [{ port: 80 }],
  },
});

const NODE_ADDRESSES = Object.values(NODES).flatMap(({ v4, v6 }) => [v4, v6]);

/** Who answers, as the web servers say it: the first word of a line. */
const nameIn = (answer: string): string => answer.split(" ")[0] ?? "";

/** Asks until all of these pods have answered: kube-proxy takes one of them by chance. */
async function expectAnswers(what: string, pods: readonly Pod[], ask: () => Promise<string>): Promise<void> {
  const wanted = pods.map(({ metadata }) => metadata.name).sort();
  const given = new Set<string>();
  const all = async () => {
    const name = nameIn(await ask());
    if (wanted.includes(name)) given.add(name);
    return given.size === wanted.length;
  };
  await eventually(`${what}: an answer of each pod`, all, { state: () => ({ wanted, given: [...given] }) });
}

/** The answer to the control plane's machine, which is not one of the nodes; empty when there is none. */
const fromOutside = async (address: string, port: number): Promise<string> =>
  (await outcomeOf(asking(address, port))).stdout;

/** A service of four pods and one of a single pod, asked from pods and from outside. */
async function expectServices(cluster: Cluster): Promise<string> {
  await network(cluster);
  await cluster.apply([deployment("four", 4), service("four"), deployment("single", 1), service("single")]);
  const [four, single] = await Promise.all(["four", "single"].map((name) => rolledOut(cluster, name)));
  if (four === undefined || single?.[0] === undefined) throw new Error("no pods");
  const [{ spec: ofFour }, { spec: ofSingle }] = await Promise.all(
    ["four", "single"].map(
      async (name) => JSON.parse(await cluster.kubectl(["get", "service", name, "-o", "json"])) as Service,
    ),
  ).then(([one, other]) => [one, other] as [Service, Service]);
  for (const address of ofFour.clusterIPs)
    for (const node of cluster.nodes) {
      const asker = four.find(({ spec }) => spec.nodeName === node.name);
      if (asker === undefined) throw new Error(`no pod of four on ${node.name}`);
      await expectAnswers(`${address} from ${node.name}`, four, () => inPod(cluster, asker, asking(address)));
    }
  const [alone] = single;
  for (const address of ofSingle.clusterIPs)
    equal(
      nameIn(await inPod(cluster, alone, asking(address))),
      alone.metadata.name,
      "a pod asks its own service",
    );
  const nodePort = ofFour.ports[0]?.nodePort ?? 0;
  for (const address of NODE_ADDRESSES)
    await expectAnswers(`${address}:${nodePort}`, four, () => fromOutside(address, nodePort));
  await remove(cluster, "four", "single");
  await expectNothingLeft(cluster);
  return "ClusterIP from both nodes, a pod by its own service, NodePort of both nodes from outside; both families";
}

/** Starts kube-proxy anew in another mode. */
export async function proxyMode(cluster: Cluster, mode: ProxyMode): Promise<void> {
  await cluster.onEach(async (node) => {
    await node.machine.stopDaemon("kube-proxy", "TERM");
    await node.startProxy(mode);
  });
}

export const serviceCases = (cluster: Cluster): Cases => ({
  "services, kube-proxy with iptables": () => expectServices(cluster),
  "services, kube-proxy with nftables": async () => {
    await proxyMode(cluster, "nftables");
    const compared = await expectServices(cluster);
    for (const { name, machine } of cluster.nodes)
      equal(
        (await machine.outcome("nft list table ip kube-proxy")).exitCode,
        0,
        `kube-proxy's table on ${name}`,
      );
    await proxyMode(cluster, "iptables");
    return compared;
  },
  [`hostPort ${HOST_PORT}, by portmap`]: async () => {
    await network(cluster);
    await cluster.apply([
      deployment("port", 1, { node: "node1", hostPort: HOST_PORT }),
      deployment("asker", 2),
    ]);
    const [pod] = await rolledOut(cluster, "port");
    if (pod === undefined) throw new Error("no pod");
    const askers = await rolledOut(cluster, "asker");
    const own = NODE_ADDRESSES.slice(0, 2);
    for (const address of own)
      equal(nameIn(await fromOutside(address, HOST_PORT)), pod.metadata.name, address);
    for (const asker of askers)
      for (const address of own)
        equal(nameIn(await inPod(cluster, asker, asking(address, HOST_PORT))), pod.metadata.name, address);
    for (const address of NODE_ADDRESSES.slice(2)) equal(await fromOutside(address, HOST_PORT), "", address);
    await expectReach(cluster, askers, [pod]);
    notEqual(addressesOf(pod).length, 0);
    await remove(cluster, "port");
    for (const address of own)
      await eventually(
        `${address}:${HOST_PORT} is closed`,
        async () => (await fromOutside(address, HOST_PORT)) === "",
      );
    await remove(cluster, "asker");
    await expectNothingLeft(cluster);
    deepEqual(await rulesWith(cluster, HOST_PORT), [], "rules with the port");
    return "open on its node alone, from outside and from pods of both nodes; closed after the pod; both families";
  },
});

const rulesWith = async (cluster: Cluster, port: number): Promise<string[]> =>
  (await cluster.onEach(({ machine }) => machine.run("iptables-save; ip6tables-save; nft list ruleset")))
    .join("")
    .split("\n")
    .filter((line) => new RegExp(`\\b${port}\\b`).test(line));
