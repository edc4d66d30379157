/** R2: deploy/ on the real API server: installation and upgrade while containers come and go, and the old files back. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { appendFileSync, copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IMAGE as RELEASED, writeImages } from "../../../build/image.ts";
import type { Cases } from "../../scratch-worker.ts";
import type { Cluster } from "../cluster.ts";
import { network, PLUGINS, putPlugins } from "../network.ts";
import type { Node } from "../node.ts";
import { deployment, expectNothingLeft, expectReach, remove, rolledOut } from "../pods.ts";

const NEXT = "localhost/bridgehead:next";
const STOP = "/run/stop";

/** A network of the loop's own. */
const LOOP_CONFIGURATION = {
  cniVersion: "1.0.0",
  name: "loop",
  type: "bridge",
  bridge: "loop0",
  isGateway: true,
  ipMasq: true,
  ipam: { type: "host-local", subnet: "10.99.0.0/24" },
};

/** Calls the bridge plugin as a runtime does, until STOP is there. Prints each failure, and last the number of calls. */
const LOOP = `ip netns add loop
export CNI_CONTAINERID=loop CNI_NETNS=/run/netns/loop CNI_IFNAME=eth0 CNI_PATH=${PLUGINS}
calls=0
while [ ! -e ${STOP} ]; do
  for command in ADD DEL; do
    CNI_COMMAND=$command ${PLUGINS}/bridge </run/loop.conf >/run/loop.out 2>&1 ||
      echo "$command: exit code $?: $(cat /run/loop.out)"
    calls=$((calls + 1))
  done
done
ip netns delete loop; ip link delete loop0; rm -rf ${STOP} /var/lib/cni/networks/loop
echo "$calls calls"`;

/** Runs `work` while the loop runs on all nodes, of whose calls none may fail. Returns how many there were. */
async function underLoad(cluster: Cluster, work: () => Promise<unknown>): Promise<number> {
  const loops = cluster.onEach(async ({ machine }) => {
    await machine.run("cat >/run/loop.conf", { stdin: JSON.stringify(LOOP_CONFIGURATION) });
    return machine.run(LOOP, { timeout: 600_000 });
  });
  try {
    await work();
  } finally {
    await cluster.onEach(({ machine }) => machine.run(`: >${STOP}`));
  }
  const printed = (await loops).map((text) => text.trim().split("\n"));
  for (const lines of printed) match(lines.at(-1) ?? "", /^[1-9]\d* calls$/);
  deepEqual(
    printed.flatMap((lines) => lines.slice(0, -1)),
    [],
    "calls that failed",
  );
  return printed.reduce((sum, lines) => sum + Number.parseInt(lines.at(-1) ?? "", 10), 0);
}

const bytesOf = ({ machine }: Node, name: string): Buffer | undefined => {
  const path = machine.pathOf(`${PLUGINS}/${name}`);
  return existsSync(path) ? readFileSync(path) : undefined;
};

function expectPlugins(cluster: Cluster, what: string, file: string | undefined): void {
  const wanted = file === undefined ? undefined : readFileSync(file);
  for (const node of cluster.nodes) {
    const found = bytesOf(node, "bridge");
    ok(
      found === wanted || (found !== undefined && wanted !== undefined && found.equals(wanted)),
      `${what}: bridge of ${node.name} has ${found?.length ?? "no"} bytes, not ${wanted?.length ?? "none"}`,
    );
  }
}

/** The image of another file, on all nodes under the name NEXT. Returns the file. */
async function importNext(cluster: Cluster): Promise<string> {
  const { folder, binaries } = cluster.stage.task;
  const file = join(folder, "next");
  copyFileSync(join(binaries, "bridgehead"), file);
  appendFileSync(file, "another version");
  const target = `linux-${process.arch}`;
  const images = join(folder, "next-image");
  for await (const _ of writeImages(images, [{ target, file }]));
  const [archive = ""] = new Bun.Glob("*-docker.tar").scanSync({ cwd: images, absolute: true });
  await cluster.onEach(async (node) => {
    await node.importImage(archive);
    await node.machine.run(`ctr -n k8s.io images tag --force ${RELEASED} ${NEXT}`);
  });
  await cluster.page("On each node: the image");
  return file;
}

export const installCases = (cluster: Cluster): Cases => ({
  "deploy/: installed, upgraded and uninstalled under a loop of ADDs": async () => {
    const { binaries, places } = cluster.stage.task;
    const { reference = "" } = places;
    await network(cluster);
    await cluster.page("Uninstall");
    expectPlugins(cluster, "after the first uninstallation", undefined);
    for (const node of cluster.nodes) putPlugins(node, reference);
    const next = await importNext(cluster);
    await cluster.apply([deployment("standing", 2)]);
    const standing = await rolledOut(cluster, "standing");
    const calls = await underLoad(cluster, async () => {
      await cluster.page("Install the plugins");
      expectPlugins(cluster, "after the installation", join(binaries, "bridge"));
      const namespace = ["-n", "bridgehead"];
      await cluster.kubectl([...namespace, "set", "image", "daemonset/bridgehead", `install=${NEXT}`]);
      await cluster.kubectl([...namespace, "rollout", "status", "daemonset/bridgehead", "--timeout=240s"]);
      expectPlugins(cluster, "after the upgrade", next);
      await cluster.page("Uninstall");
      expectPlugins(cluster, "after the uninstallation", join(reference, "bridge"));
    });
    for (const node of cluster.nodes)
      for (const name of ["bridgehead", "static", "portmap"]) {
        const old = join(reference, name);
        deepEqual(
          bytesOf(node, name),
          existsSync(old) ? readFileSync(old) : undefined,
          `${name} of ${node.name}`,
        );
      }
    await expectReach(cluster, standing);
    equal((await cluster.kubectl(["get", "namespaces", "-o", "name"])).includes("bridgehead"), false);
    await cluster.page("Install the plugins");
    await remove(cluster, "standing");
    await expectNothingLeft(cluster);
    return `${calls} calls, none failed; the reference's files are back, byte for byte`;
  },
});
