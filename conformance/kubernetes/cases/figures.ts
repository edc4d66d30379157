/** What a pod's network takes by containerd's own measure, ours beside the reference's: printed, not judged. */
import { type Cases, summarize } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { network, putPlugins } from "../network.ts";
import { FIGURES, type Node } from "../node.ts";
import { expectNothingLeft } from "../pods.ts";

const PAIRS = 15;

/** Seconds of the operations of a kind so far. */
async function secondsOf({ machine }: Node, operation: string): Promise<number> {
  const text = await machine.run(["busybox", "wget", "-qO-", FIGURES]);
  const line = text
    .split("\n")
    .find(
      (one) =>
        one.includes("network_plugin_operations_duration_seconds") &&
        one.includes("_sum") &&
        one.includes(`"${operation}"`),
    );
  if (line === undefined) throw new Error(`containerd has no figure of ${operation} at ${FIGURES}`);
  return Number(line.split(" ").at(-1));
}

/** Makes and removes a pod, without the kubelet. Returns milliseconds that its network took to set up. */
async function setUp(cluster: Cluster, node: Node, name: string): Promise<number> {
  const { machine } = node;
  const file = `/run/${name}.json`;
  const config = { metadata: { name, namespace: "default", uid: name, attempt: 0 }, linux: {} };
  await machine.run(`cat >${file}`, { stdin: JSON.stringify(config) });
  const crictl = cluster.crictl();
  const before = await secondsOf(node, "set_up_pod").catch(() => 0);
  const id = (await machine.run([...crictl, "runp", file])).trim();
  const after = await secondsOf(node, "set_up_pod");
  await machine.run([...crictl, "stopp", id]);
  await machine.run([...crictl, "rmp", id]);
  await machine.run(["rm", file]);
  return (after - before) * 1000;
}

const median = (values: readonly number[]): string =>
  (values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0).toFixed(0);

export const figureCases = (cluster: Cluster): Cases => ({
  "the time of a pod's network, one pod after the other": async () => {
    await network(cluster);
    const node = cluster.node("node1");
    const { binaries, places } = cluster.stage.task;
    const sides = { ours: binaries, reference: places.reference ?? "" };
    const times: Record<string, number[]> = { ours: [], reference: [] };
    for (let pair = 0; pair < PAIRS; pair++)
      for (const [side, folder] of Object.entries(sides)) {
        putPlugins(node, folder);
        times[side]?.push(await setUp(cluster, node, `figure-${side}-${pair}`));
      }
    putPlugins(node, binaries);
    await expectNothingLeft(cluster);
    const [ours, reference] = [times.ours ?? [], times.reference ?? []].map(median);
    summarize(
      `set_up_pod, median of ${PAIRS} pods one after the other: ${ours} ms ours, ${reference} ms the reference`,
    );
    return `${PAIRS} pairs`;
  },
});
