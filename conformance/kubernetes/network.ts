/** Gives the cluster its network, as docs/kubernetes.md says. */
import { copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../../test/support/command.ts";
import type { Cluster } from "./cluster.ts";
import type { Node } from "./node.ts";

/** Where the nodes have their plugins. */
export const PLUGINS = "/opt/cni/bin";

/** The heading of the page whose commands a node needs once more after a reboot. */
export const AFTER_REBOOT = "On each node: the way to the others";

/** Those that install, in the page's order: they need a file that runs without any library. */
const INSTALL = ["On each node: the image", "Install the plugins"] as const;

/** Those that make the network of nodes with plugins, in the page's order. */
const NETWORK = [
  "On each node: the network",
  "Wait for the nodes",
  "Routes between the nodes",
  AFTER_REBOOT,
] as const;

/** Makes the network of all nodes as for the first time. */
export async function configureNetwork(cluster: Cluster): Promise<void> {
  for (const title of NETWORK) await cluster.page(title);
}

const done = new WeakMap<Cluster, Promise<void>>();

/** Makes the network unless it is there. */
export function network(cluster: Cluster): Promise<void> {
  const promise = done.get(cluster) ?? make(cluster);
  done.set(cluster, promise);
  return promise;
}

async function make(cluster: Cluster): Promise<void> {
  const { binaries } = cluster.stage.task;
  if (await isStatic(join(binaries, "bridgehead"))) for (const title of INSTALL) await cluster.page(title);
  else for (const node of cluster.nodes) putPlugins(node, binaries);
  await configureNetwork(cluster);
}

/** Whether the image of a file works: it has no library. ldd fails for a program that needs none. */
export const isStatic = async (program: string): Promise<boolean> =>
  (await outcomeOf(["ldd", program])).exitCode !== 0;

/** Puts a folder's plugins onto a node, each by rename, as a package manager does. Names of one file stay that. */
export function putPlugins({ machine }: Node, folder: string): void {
  const target = machine.pathOf(PLUGINS);
  mkdirSync(target, { recursive: true });
  const copies = new Map<number, string>();
  for (const name of readdirSync(folder).filter((entry) => !entry.startsWith("."))) {
    const path = join(target, name);
    const { ino } = statSync(join(folder, name));
    const copy = copies.get(ino);
    if (copy === undefined) copyFileSync(join(folder, name), `${path}.new`);
    else linkSync(copy, `${path}.new`);
    renameSync(`${path}.new`, path);
    copies.set(ino, path);
  }
}
