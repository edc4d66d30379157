/** K27: a node whose addresses are used up, and one that gets another range. */
import { deepEqual, match, notDeepEqual } from "node:assert/strict";
import { readFileSync, renameSync } from "node:fs";
import { eventually } from "../../../test/support/eventually.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { configureNetwork, network } from "../network.ts";
import type { Node } from "../node.ts";
import {
  deployment,
  expectLeases,
  expectNothingLeft,
  expectReach,
  living,
  type Pod,
  remove,
  rolledOut,
} from "../pods.ts";
import type { NodeObject } from "./pods.ts";

const LIST = "/etc/cni/net.d/10-pods.conflist";
const FREE = 3;
/** The end of the last address. */
const LAST = `.${99 + FREE}`;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime: string;
}

interface Event {
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly name: string };
}

const nodeObject = <T>(cluster: Cluster, name: string): Promise<T> =>
  cluster.kubectl(["get", "node", name, "-o", "json"]).then((text) => JSON.parse(text) as T);

/** The condition of a node as the kubelet has set it last. */
async function readyCondition(cluster: Cluster, name: string): Promise<Condition | undefined> {
  const { status } = await nodeObject<{ status: { conditions: Condition[] } }>(cluster, name);
  return status.conditions.find(({ type }) => type === "Ready");
}

/** Writes another list, and waits until containerd has read it. */
async function configure(cluster: Cluster, { name, machine }: Node, list: string): Promise<void> {
  machine.write(`${LIST}.new`, list);
  renameSync(machine.pathOf(`${LIST}.new`), machine.pathOf(LIST));
  const info = () => machine.run([...cluster.crictl(), "info"]);
  await eventually(
    `containerd of ${name} has read the list`,
    async () => (await info()).includes(LAST) === list.includes(LAST),
    {
      state: info,
    },
  );
}

/** The same list, with FREE addresses of IPv4. */
function narrowed(list: string): string {
  return list.replace(/"subnet": "([\d.]+)\.0\/24"/, (all, start) => {
    return `${all}, "rangeStart": "${start}.100", "rangeEnd": "${start}${LAST}"`;
  });
}

const failures = async (cluster: Cluster): Promise<Event[]> =>
  (await cluster.list<Event>(["events"])).filter(({ reason }) => reason === "FailedCreatePodSandBox");

export const rangeCases = (cluster: Cluster): Cases => ({
  "K27: the range of a node is full": async () => {
    await network(cluster);
    const node = cluster.node("node1");
    const list = readFileSync(node.machine.pathOf(LIST), "utf8");
    await configure(cluster, node, narrowed(list));
    const before = await readyCondition(cluster, node.name);
    await cluster.apply([deployment("first", FREE, { node: node.name })]);
    const first = await rolledOut(cluster, "first");
    await cluster.apply([deployment("late", FREE, { node: node.name })]);
    // Each of them has failed, and has been tried again: the kubelet and containerd have seen the full range for a while.
    await eventually(
      "each late pod has failed twice",
      async () => {
        const late = await failures(cluster);
        return (await living(cluster, "late")).every(
          ({ metadata }) =>
            late.filter(({ involvedObject }) => involvedObject.name === metadata.name).length >= 2,
        );
      },
      { deadline: 120_000, state: () => failures(cluster) },
    );
    for (const { message } of await failures(cluster))
      match(message, /no IP addresses available in range set/);
    deepEqual(
      await readyCondition(cluster, node.name).then(withoutHeartbeat),
      withoutHeartbeat(before),
      "Ready",
    );
    const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.uid).sort();
    deepEqual(names(await living(cluster, "first")), names(first), "the pods that had an address");
    await remove(cluster, "first");
    const late = await rolledOut(cluster, "late");
    expectLeases(cluster, late);
    await remove(cluster, "late");
    await configure(cluster, node, list);
    await expectNothingLeft(cluster);
    return `${FREE} pods wait, the node stays ready, ${FREE} pods live on, and those that wait start when these go`;
  },
  "podCIDR of a node changed under a standing bridge": async () => {
    await network(cluster);
    const node = cluster.node("node2");
    const before = (await nodeObject<NodeObject>(cluster, node.name)).spec.podCIDRs;
    await cluster.kubectl(["delete", "node", node.name]);
    await node.machine.stopDaemon("kubelet", "TERM");
    await node.startKubelet();
    await cluster.kubectl(["wait", "--for=create", `node/${node.name}`, "--timeout=60s"]);
    await cluster.kubectl(["wait", "--for=jsonpath={.spec.podCIDRs}", `node/${node.name}`, "--timeout=60s"]);
    notDeepEqual((await nodeObject<NodeObject>(cluster, node.name)).spec.podCIDRs, before);
    await configureNetwork(cluster);
    await cluster.apply([deployment("moved", 4)]);
    const refusal = () =>
      failures(cluster).then((all) => all.find(({ message }) => /different from/.test(message)));
    const event = await eventually("the new range is refused", refusal, { state: () => failures(cluster) });
    // The message names what to do.
    match(event.message, /"cni0" already has an IP address different from .*ip addr del [\d./]+ dev cni0/);
    await node.machine.run(["ip", "link", "delete", "cni0"]);
    const pods = await rolledOut(cluster, "moved");
    expectLeases(cluster, pods);
    await expectReach(cluster, pods);
    await remove(cluster, "moved");
    await expectNothingLeft(cluster);
    return "ADDs are refused with the remedy, and after it pods have the new range and reach those of the other node";
  },
});

const withoutHeartbeat = (condition: Condition | undefined) => [
  condition?.status,
  condition?.lastTransitionTime,
];
