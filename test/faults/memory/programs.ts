/** Builds the programs that AddressSanitizer watches: the plugins, and the fuzz of their layers. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle, compileChunks, IN_IMAGE } from "../../../build/compact.ts";
import { publish } from "../../../build/compile.ts";
import { versionFlags } from "../../../build/program-version.ts";
import { cargoBuild, cargoBuildSanitized, compactTargets } from "../../../build/toolchain.ts";
import { fileOf } from "../../golden/golden.ts";
import { PROJECT } from "../../support/test-files.ts";

/** Stands for node:fs: the only function that the layers use, with the only files that it is asked for. */
function fileSystem(): string {
  const texts = (["rtnetlink", "nftables"] as const).map((protocol) => {
    const file = fileOf(protocol);
    return [file.replace(/^.*\//, ""), readFileSync(file, "utf8")] as const;
  });
  return `const texts = ${JSON.stringify(Object.fromEntries(texts))};
export const readFileSync = (path) => texts[path.split("/").at(-1)];`;
}

/** Builds them into a folder. Returns the path of the fuzz and the folder of the plugins. @throws Error */
export async function sanitizedPrograms(folder: string): Promise<{ layers: string; plugins: string }> {
  const [target] = compactTargets(false);
  if (target === undefined) throw new Error("there is no compact file for this processor");
  const { compiler } = cargoBuild(target);
  const stage = mkdtempSync(join(tmpdir(), "sanitized-"));
  const compiled = join(stage, "bundle");
  const make = (chunks: string, order: readonly string[], to: string): void => {
    writeFileSync(compiled, compileChunks(compiler, chunks, order));
    copyFileSync(cargoBuildSanitized(target, compiled), to);
  };
  try {
    const layers = join(folder, "layers");
    const plugins = join(folder, "bin");
    mkdirSync(plugins, { recursive: true });
    const ofLayers = join(stage, "layers");
    const order = await bundle("test/faults/memory/layers.ts", [], ofLayers, [
      '--define=import.meta.dir="golden"',
    ]);
    writeFileSync(join(ofLayers, "fs"), fileSystem());
    make(ofLayers, ["fs", ...order], layers);

    const ofPlugins = join(stage, "plugins");
    const flags = versionFlags(PROJECT, "quickjs-ng with AddressSanitizer");
    make(ofPlugins, await bundle("src/main.ts", IN_IMAGE, ofPlugins, flags), join(stage, "bridgehead"));
    await publish(stage, plugins, "watched by AddressSanitizer");
    return { layers, plugins };
  } finally {
    rmSync(stage, { recursive: true });
  }
}
