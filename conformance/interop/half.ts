/** Halfway through an upgrade: one plugin of a folder is ours, the other the reference's. */
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import type { Programs } from "../scratch-lanes.ts";
import { NETWORKS } from "./network.ts";
import { Node, nodeCase, type Who } from "./node.ts";
import { reaches } from "./swap.ts";

/** A folder with the bridge plugin of one side and the host-local of the other. */
function mixed(programs: Programs, bridge: Who): string {
  const hostLocal = bridge === "ours" ? "reference" : "ours";
  const folder = `/run/bridge-of-${bridge}`;
  mkdirSync(folder);
  symlinkSync(`${programs[bridge]}/bridge`, `${folder}/bridge`);
  symlinkSync(`${programs[hostLocal]}/host-local`, `${folder}/host-local`);
  return folder;
}

/** What a mixed folder has added, a whole one checks and deletes, and the reverse. */
async function half(node: Node, whole: Node): Promise<void> {
  const [c1, c2] = [await node.add("ours", "c1"), await node.add("reference", "c2")];
  const [c3, c4] = [await whole.add("ours", "c3"), await whole.add("reference", "c4")];
  for (const container of [c3, c4]) node.containers.set(`${container.id} eth0`, container);
  await node.judgeAll("four containers");
  for (const container of [c1, c2, c3, c4]) {
    await reaches(node, container);
    for (const who of ["ours", "reference"] as const) {
      await node.check(who, container);
      await whole.check(who, container);
    }
  }
  await whole.del("reference", c1);
  await whole.del("ours", c2);
  await node.del("reference", c3);
  await node.del("ours", c4);
  for (const container of [c1, c2]) node.forget(container);
  await node.judgeAll("none left");
}

export const HALF_CASES = NETWORKS.map((network) =>
  nodeCase(
    `half upgraded, ${network.name}`,
    network,
    async (whole) => {
      const { programs } = whole.scene;
      const folders = { ours: mixed(programs, "ours"), reference: mixed(programs, "reference") };
      try {
        await half(new Node(whole.scene, network, folders), whole);
      } finally {
        for (const folder of Object.values(folders)) rmSync(folder, { recursive: true });
      }
    },
    { hasOutside: true },
  ),
);
