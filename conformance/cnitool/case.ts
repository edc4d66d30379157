/** A case of this suite: a container, a configuration, and what becomes of them. */
import type { JsonRecord } from "../engine/network.ts";
import { Outside } from "../outside.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { Life, type Wanted } from "./life.ts";
import { keptBy } from "./networks.ts";
import { Cnitool, type ToolOptions } from "./tool.ts";

interface ToolCase {
  readonly name: string;
  readonly config: readonly [string, JsonRecord];
  readonly wanted: Wanted;
  readonly options?: ToolOptions;
  /** Folders that are searched before our plugins. */
  readonly before?: readonly string[];
  /** On top of what an ADD of the bridge keeps. */
  readonly keeps?: readonly RegExp[];
  readonly run: (life: Life, tool: Cnitool, outside: Outside) => Promise<void>;
}

/** Gives `run` a container c1 and a machine outside, and takes both away. */
export const toolCase = ({ name, config, wanted, options, before, keeps, run }: ToolCase): ScratchCase => ({
  name,
  keeps: [...keptBy(), ...(keeps ?? [])],
  run: async (scene) => {
    const tool = new Cnitool(scene.programs, before);
    const container = await scene.host.addNamespace("c1");
    const outside = await Outside.open(scene.host);
    try {
      tool.write(...config);
      await run(new Life(scene, tool, container, wanted, options), tool, outside);
    } finally {
      tool.close();
      await outside.close();
    }
  },
});

/** The whole life: status, add, what works, check, a second add, del. */
export async function wholeLife(life: Life): Promise<void> {
  await life.quiet("status");
  await life.add();
  await life.reaches();
  await life.check();
  await life.refused("add", /interface "eth0"|"eth0".*exists|already exists|duplicate allocation/);
  await life.check();
  await life.del();
}
