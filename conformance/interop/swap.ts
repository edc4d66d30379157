/** Binaries are swapped in the middle: what one side has added is checked, used and deleted by the other. */
import { answers } from "../kernel-facts.ts";
import { Outside } from "../outside.ts";
import { NETWORKS, type Network } from "./network.ts";
import { bare, type Container, type Node, nodeCase, type Who } from "./node.ts";

/** The container reaches its gateways, the machine outside, and every other container. */
export async function reaches(node: Node, from: Container): Promise<void> {
  const { judge } = node.scene;
  const others = [...node.containers.values()].filter((container) => container !== from);
  const peers = others.flatMap(({ result }) => (result.ips ?? []).map(({ address }) => bare(address)));
  const outside = node.network.gateways.map((gateway) => Outside.ADDRESS[gateway.includes(":") ? 6 : 4]);
  const all = [...node.network.gateways, ...outside, ...peers];
  const reached = await Promise.all(all.map((address) => answers(from.namespace, address)));
  judge.same(
    `unreachable from ${from.id}`,
    all.filter((_, index) => reached[index] !== true),
    [],
  );
}

/** `old` is in place at first; `fresh` takes over, and `old` comes back for a while. */
async function swap(node: Node, old: Who, fresh: Who): Promise<void> {
  const { judge, host } = node.scene;
  const [c1, c2, c3] = [await node.add(old, "c1"), await node.add(old, "c2"), await node.add(old, "c3")];
  await node.judgeAll(`three by ${old}`);
  for (const container of [c1, c2, c3]) await node.check(fresh, container);

  const [c4, c5] = [await node.add(fresh, "c4"), await node.add(fresh, "c5")];
  await node.judgeAll(`two more by ${fresh}`);
  for (const container of [c4, c5]) await node.check(old, container);
  for (const container of [c1, c4]) await reaches(node, container);

  await node.del(fresh, c1);
  await node.judgeAll(`c1 deleted by ${fresh}`);
  await node.del(old, c4);
  await node.judgeAll(`c4 deleted by ${old}`);
  // Again, by the other one: nothing left is no error.
  await node.del(old, c1);
  await node.del(fresh, c4);
  const c6 = await node.add(old, "c6");
  await node.judgeAll(`c6 by ${old} again`);
  for (const container of [c2, c3, c5, c6]) {
    await node.check("ours", container);
    await node.check("reference", container);
  }
  await reaches(node, c6);

  await node.endNamespace(c2);
  await node.del("ours", c2);
  await node.del(old, c5);
  await node.del(fresh, c3);
  await node.del(fresh, c6);
  judge.same("containers", node.containers.size, 0);
  const tables = await host.run("nft list tables");
  judge.explained("0013", "tables that it has used stay, empty", /^table (ip|inet) /m.test(tables), tables);
  await node.judgeAll("none left");
}

const swapCase = (network: Network, old: Who, fresh: Who) =>
  nodeCase(`swap, added by ${old}, ${network.name}`, network, (node) => swap(node, old, fresh), {
    hasOutside: true,
  });

export const SWAP_CASES = NETWORKS.flatMap((network) => [
  swapCase(network, "reference", "ours"),
  swapCase(network, "ours", "reference"),
]);
