/** Pods: from an empty cluster to many, reached directly, and gone again. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { isStatic, network, PLUGINS } from "../network.ts";
import {
  addressesOf,
  deployment,
  expectLeases,
  expectNothingLeft,
  expectReach,
  living,
  type Pod,
  remove,
  rolledOut,
} from "../pods.ts";

const MANY = 40;

export interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDRs: readonly string[] };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

/** The names of the nodes that are ready. */
export const readyNodes = async (cluster: Cluster): Promise<string[]> =>
  (await cluster.list<NodeObject>(["nodes"]))
    .filter(({ status }) =>
      status.conditions.some(({ type, status }) => type === "Ready" && status === "True"),
    )
    .map(({ metadata }) => metadata.name);

/** The pods of all, which the cases before have made or not. */
export async function many(cluster: Cluster): Promise<Pod[]> {
  await network(cluster);
  await cluster.apply([deployment("many", MANY)]);
  return rolledOut(cluster, "many");
}

export const podCases = (cluster: Cluster): Cases => ({
  "docs/kubernetes.md: from an empty cluster to pods that talk": async () => {
    const names = cluster.nodes.map(({ name }) => name);
    deepEqual(await readyNodes(cluster), [], "nodes that are ready without a network");
    await network(cluster);
    deepEqual((await readyNodes(cluster)).sort(), names);
    if (await isStatic(`${cluster.stage.task.binaries}/bridgehead`))
      for (const { name, machine } of cluster.nodes) {
        const installed = readFileSync(machine.pathOf(`${PLUGINS}/bridge`));
        ok(
          installed.equals(readFileSync(`${cluster.stage.task.binaries}/bridge`)),
          `${PLUGINS}/bridge of ${name}`,
        );
      }
    await cluster.page("Try it");
    await expectReach(cluster, await living(cluster, "web"));
    await cluster.page("After the trial");
    await expectNothingLeft(cluster);
    return "each command of the page; the nodes are ready, and were not before";
  },
  [`${MANY} pods over two nodes: each reaches each`]: async () => {
    const pods = await many(cluster);
    equal(pods.length, MANY);
    deepEqual(
      cluster.nodes.map(({ name }) => pods.filter(({ spec }) => spec.nodeName === name).length),
      [MANY / 2, MANY / 2],
      "pods on each node",
    );
    expectLeases(cluster, pods);
    await expectReach(cluster, pods);
    await expectReach(cluster, pods, pods.slice(0, 4), "v6");
    return `${MANY * MANY} answers over IPv4, each from the pod's own address; ${4 * MANY} over IPv6`;
  },
  "rollout: all pods are replaced": async () => {
    const before = await many(cluster);
    await cluster.apply([deployment("many", MANY, { revision: "2" })]);
    const after = await rolledOut(cluster, "many");
    const names = new Set(before.map(({ metadata }) => metadata.name));
    deepEqual(
      after.filter(({ metadata }) => names.has(metadata.name)),
      [],
      "pods from before",
    );
    await cluster.kubectl(["wait", "--for=delete", "pod", ...names, "--timeout=180s"]);
    expectLeases(cluster, await living(cluster, "many"));
    await expectReach(cluster, after.slice(0, 2), after);
    return `${after.length} others, and leases of no pod but these`;
  },
  "down to 0: nothing is left on either node": async () => {
    const pods = await many(cluster);
    ok(pods.flatMap(addressesOf).length > 0);
    await cluster.kubectl(["scale", "deployment/many", "--replicas=0"]);
    await cluster.kubectl(["wait", "--for=delete", "pod", "--selector=app=many", "--timeout=180s"]);
    await expectNothingLeft(cluster);
    await remove(cluster, "many");
    return "no lease, veth, rule, namespace or kept result";
  },
});
