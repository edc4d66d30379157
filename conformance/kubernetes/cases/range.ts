/** A node that gets another range. */
import { match, notDeepEqual } from "node:assert/strict";
import { eventually } from "../../../test/support/eventually.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { configureNetwork, network } from "../network.ts";
import { deployment, expectLeases, expectNothingLeft, expectReach, remove, rolledOut } from "../pods.ts";
import type { NodeObject } from "./pods.ts";

/** An event as kubectl shows it, as far as it is used. */
interface Event {
  readonly reason: string;
  readonly message: string;
}

const nodeObject = <T>(cluster: Cluster, name: string): Promise<T> =>
  cluster.kubectl(["get", "node", name, "-o", "json"]).then((text) => JSON.parse(text) as T);

const failures = async (cluster: Cluster): Promise<Event[]> =>
  (await cluster.list<Event>(["events"])).filter(({ reason }) => reason === "FailedCreatePodSandBox");

export const rangeCases = (cluster: Cluster): Cases => ({
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
