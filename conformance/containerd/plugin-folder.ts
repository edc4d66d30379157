/** /opt/cni/bin as the documentation of containerd has it, and stand-ins for single plugins in it. */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "../../test/support/command.ts";
import type { WorkerTask } from "../scratch-suite.ts";

export const PLUGIN_FOLDER = "/opt/cni/bin";

/** Makes /opt/cni anew. The machine's /opt stays as it is, under a layer that goes with the scratch host. */
export async function coverOpt({ folder }: WorkerTask): Promise<void> {
  for (const name of ["upper", "work"]) mkdirSync(`${folder}/opt/${name}`, { recursive: true });
  const layers = `lowerdir=/opt,upperdir=${folder}/opt/upper,workdir=${folder}/opt/work`;
  await outputOf(["mount", "-n", "-t", "overlay", "-o", layers, "overlay", "/opt"]);
  mkdirSync("/opt/cni", { recursive: true });
  await outputOf("mount -n -t tmpfs tmpfs /opt/cni");
}

/** Fills the folder of plugins with ours and their neighbours. */
export async function preparePluginFolder(task: WorkerTask): Promise<void> {
  await coverOpt(task);
  const { binaries, places } = task;
  mkdirSync(PLUGIN_FOLDER);
  const ours = readdirSync(binaries).filter((name) => !name.startsWith(".") && name !== "bridgehead");
  for (const name of ours) await show(join(binaries, name), name);
  const { neighbours = "" } = places;
  for (const name of readdirSync(neighbours)) await show(join(neighbours, name), name);
}

/** As a file, not a link: that is what users have. */
async function show(program: string, name: string): Promise<void> {
  writeFileSync(join(PLUGIN_FOLDER, name), "");
  await outputOf(["mount", "-n", "--bind", program, join(PLUGIN_FOLDER, name)]);
}

/** While it lives, a shell script stands in for a plugin, for one of the commands. */
export class StandIn implements AsyncDisposable {
  private readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** The script gets the path of the plugin itself. */
  static async put(
    { folder, binaries }: WorkerTask,
    name: string,
    command: "ADD" | "STATUS",
    script: (plugin: string) => string,
  ): Promise<StandIn> {
    const plugin = join(binaries, name);
    const path = `${folder}/stand-in-${name}`;
    // Another one may still be run.
    rmSync(path, { force: true });
    writeFileSync(path, `#!/bin/sh\n[ "$CNI_COMMAND" = ${command} ] || exec ${plugin}\n${script(plugin)}\n`);
    chmodSync(path, 0o755);
    await outputOf(["mount", "-n", "--bind", path, join(PLUGIN_FOLDER, name)]);
    return new StandIn(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await outputOf(["umount", "-n", "--lazy", join(PLUGIN_FOLDER, this.name)]);
  }
}
