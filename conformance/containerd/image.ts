/** The one image there is, as an archive that every runtime loads. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "../../test/support/command.ts";

/** What a container does unless it is told: nothing, for as long as it may. */
const PAUSE = ["/bin/sleep", "2147483647"];

/** Writes `archive`, in the format of `docker save`, with the root file system in `root` as its only layer. */
export async function writeImage(root: string, name: string, archive: string): Promise<void> {
  const folder = `${archive}.d`;
  mkdirSync(folder);
  const layer = join(folder, "layer.tar");
  await outputOf(["tar", "-C", root, "--owner=0", "--group=0", "-cf", layer, "."]);
  const config = JSON.stringify({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    // Process 1 of a container ignores the usual signal, and a runtime waits until it gives up.
    config: { Cmd: PAUSE, Env: ["PATH=/bin"], StopSignal: "SIGKILL" },
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(readFileSync(layer))}`] },
  });
  const configName = `${sha256(config)}.json`;
  writeFileSync(join(folder, configName), config);
  const manifest = [{ Config: configName, RepoTags: [name], Layers: ["layer.tar"] }];
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  await outputOf(["tar", "-C", folder, "-cf", archive, "manifest.json", configName, "layer.tar"]);
}

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
