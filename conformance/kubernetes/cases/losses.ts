/** Daemons that are killed in the middle of their work. */
import { equal } from "node:assert/strict";
import { eventually } from "../../../test/support/eventually.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { AFTER_REBOOT, network } from "../network.ts";
import { leases } from "../node-network.ts";
import {
  deployment,
  expectLeases,
  expectNothingLeft,
  expectReach,
  living,
  remove,
  rolledOut,
} from "../pods.ts";

const PODS = 30;

/** Milliseconds: the kubelet waits ever longer between the starts of a container. */
const LONG_AFTER_BOOT = 300_000;

/** Leases of both nodes. */
const held = (cluster: Cluster): number =>
  cluster.nodes.reduce((sum, { machine }) => sum + Object.keys(leases(machine)).length, 0);

/** Kills containerd of the first node and the kubelet of the second, and starts both again. */
async function killDaemons(cluster: Cluster): Promise<void> {
  const [one, two] = [cluster.node("node1"), cluster.node("node2")];
  await Promise.all([
    one.machine.stopDaemon("containerd", "KILL"),
    two.machine.stopDaemon("kubelet", "KILL"),
  ]);
  await Promise.all([one.startContainerd(), two.startKubelet()]);
}

export const lossCases = (cluster: Cluster): Cases => ({
  "containerd and the kubelet are killed while pods come and go": async () => {
    await network(cluster);
    await cluster.apply([deployment("killed", PODS)]);
    await eventually("some pods have an address", () => held(cluster) > PODS / 3, {
      state: () => held(cluster),
    });
    await killDaemons(cluster);
    const pods = await rolledOut(cluster, "killed");
    equal(pods.length, PODS);
    // Sandboxes that the daemons have forgotten go with the kubelet's next look.
    await eventually("each lease is a pod's", () => held(cluster) === 2 * PODS, {
      deadline: 120_000,
      state: () => cluster.nodes.map(({ machine }) => leases(machine)),
    });
    expectLeases(cluster, pods);
    await expectReach(cluster, pods.slice(0, 4), pods);
    await cluster.kubectl(["scale", "deployment/killed", "--replicas=0"]);
    await eventually("some pods are gone", () => held(cluster) < PODS, { state: () => held(cluster) });
    await killDaemons(cluster);
    await remove(cluster, "killed");
    // containerd forgets a namespace that it made shortly before it was killed: that is empty, and no plugin knows it.
    await expectNothingLeft(cluster, /^node\d: namespace cni-/);
    const forgotten = await cluster.onEach(({ machine }) =>
      machine.run("for name in $(ls /run/netns); do ip netns delete $name; echo; done"),
    );
    await expectNothingLeft(cluster);
    const namespaces = forgotten.join("").length;
    return `${PODS} pods; killed while they come, and while they go; nothing left but ${namespaces} namespaces of containerd`;
  },
  "a node loses its power, and comes back": async () => {
    await network(cluster);
    await cluster.apply([deployment("rebooted", PODS)]);
    const before = await rolledOut(cluster, "rebooted");
    const node = cluster.node("node2");
    await node.machine.stop();
    await node.boot();
    await node.startKubelet();
    await node.startProxy("iptables");
    await cluster.page(AFTER_REBOOT, [node]);
    const restarted = async () =>
      (await living(cluster, "rebooted")).filter(
        ({ spec, status }) =>
          spec.nodeName === node.name &&
          status.containerStatuses?.some((one) => one.ready && one.restartCount > 0),
      ).length;
    const there = before.filter(({ spec }) => spec.nodeName === node.name).length;
    // Until the kubelet has looked, the API has the addresses of before, and so have the leases.
    await eventually("the pods of the node run again", async () => (await restarted()) === there, {
      deadline: LONG_AFTER_BOOT,
      state: restarted,
    });
    const pods = await rolledOut(cluster, "rebooted");
    equal(pods.length, before.length);
    expectLeases(cluster, pods);
    await expectReach(cluster, pods.slice(0, 4), pods);
    await remove(cluster, "rebooted");
    await expectNothingLeft(cluster);
    return `${PODS} pods; those of the node get addresses again, leases are those of the living`;
  },
});
