/** The plugins are replaced while pods run: each side deletes what the other has added. */
import { deepEqual } from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { network, putPlugins } from "../network.ts";
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

const PODS = 20;
/** Of the living pods, those that go at each swap. */
const REPLACED = 8;

/** Deletes the oldest pods, waits for others in their place, and judges all of them. */
async function replaceSome(cluster: Cluster): Promise<Pod[]> {
  const oldest = (await living(cluster, "swapped")).slice(0, REPLACED).map(({ metadata }) => metadata.name);
  await cluster.kubectl(["delete", "pod", "--wait=true", ...oldest]);
  const pods = await rolledOut(cluster, "swapped");
  deepEqual(
    pods.filter(({ metadata }) => oldest.includes(metadata.name)),
    [],
  );
  expectLeases(cluster, pods);
  await expectReach(cluster, pods.slice(-2), pods);
  return pods;
}

export const swapCases = (cluster: Cluster): Cases => ({
  "plugins swapped under running pods: the reference's, ours, the Bun file, ours": async () => {
    const { binaries, places } = cluster.stage.task;
    const { reference = "", bun = "" } = places;
    await network(cluster);
    await cluster.apply([deployment("swapped", PODS)]);
    expectLeases(cluster, await rolledOut(cluster, "swapped"));
    const sides = [
      reference,
      binaries,
      ...(existsSync(join(bun, "bridge")) ? [bun] : []),
      reference,
      binaries,
    ];
    for (const folder of sides) {
      for (const node of cluster.nodes) putPlugins(node, folder);
      await replaceSome(cluster);
    }
    await remove(cluster, "swapped");
    await expectNothingLeft(cluster);
    return `${sides.length} swaps, ${REPLACED} of ${PODS} pods replaced after each; leases, reach, nothing left`;
  },
});
