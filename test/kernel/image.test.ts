/** R1: the container image installs on a node, with no right but root's own, from a folder that has nothing else. */
import { afterAll, beforeAll, expect } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NAMES } from "../../build/compile.ts";
import { dockerArchive, MOUNTED_FOLDER, writeImages } from "../../build/image.ts";
import { outcomeOf, outputOf } from "../support/command.ts";
import { isCompact } from "../support/engine.ts";
import { builtBinaries } from "../support/plugin-call.ts";
import { testUnless } from "../support/skip.ts";

const TARGET = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
const imageTest = testUnless(isCompact() ? undefined : "the image has the compact file");

const folder = mkdtempSync(join(tmpdir(), "bridgehead-image-"));
const root = join(folder, "root");
const node = join(folder, "node");

/** What a runtime runs. */
interface Config {
  readonly config: { readonly Entrypoint: readonly string[]; readonly Cmd: readonly string[] };
}
let command: readonly string[] = [];

beforeAll(async () => {
  if (!isCompact()) return;
  await Array.fromAsync(writeImages(folder, [{ target: TARGET, file: join(builtBinaries(), "bridgehead") }]));
  for (const path of [root, node]) mkdirSync(path);
  const archive = join(folder, "archive");
  mkdirSync(archive);
  await outputOf(["tar", "-C", archive, "-xf", join(folder, dockerArchive(TARGET))]);
  const [image] = JSON.parse(readFileSync(join(archive, "manifest.json"), "utf8"));
  for (const layer of image.Layers) await outputOf(["tar", "-C", root, "-xf", join(archive, layer)]);
  const { config } = JSON.parse(readFileSync(join(archive, image.Config), "utf8")) as Config;
  command = [...config.Entrypoint, ...config.Cmd];
  // As a runtime mounts them.
  for (const path of ["proc", MOUNTED_FOLDER]) mkdirSync(join(root, path), { recursive: true });
  await outputOf(["mount", "-t", "proc", "proc", join(root, "proc")]);
  await outputOf(["mount", "--bind", node, join(root, MOUNTED_FOLDER)]);
});
afterAll(async () => {
  if (isCompact()) await outputOf(["umount", join(root, "proc"), join(root, MOUNTED_FOLDER)]);
  rmSync(folder, { recursive: true });
});

/** Runs a command in the image's files, as root without any capability but the one that the change of the root needs. */
const inImage = (...words: readonly string[]) =>
  outcomeOf([
    ...["setpriv", "--bounding-set=-all,+sys_chroot", "--inh-caps=-all", "--no-new-privs"],
    ...["chroot", root, ...words],
  ]);

imageTest("R1: the image's command installs all plugins on the node, where they answer", async () => {
  const { exitCode, stderr } = await inImage(...command);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(readdirSync(node).sort()).toEqual([".bridgehead-before", ...NAMES].sort());
  expect(new Set(NAMES.map((name) => lstatSync(join(node, name)).ino)).size).toBe(1);
  for (const name of NAMES.slice(1)) {
    const { stdout } = await outcomeOf([join(node, name)], { env: { CNI_COMMAND: "VERSION" }, stdin: "{}" });
    expect(JSON.parse(stdout)).toMatchObject({ supportedVersions: expect.arrayContaining(["1.1.0"]) });
  }
});

imageTest("R2: the command of deploy/uninstall takes all of it back, and may be repeated", async () => {
  const command = ["/bridgehead", "uninstall", "--yes", MOUNTED_FOLDER];
  for (let round = 0; round < 2; round++) {
    const { exitCode, stderr } = await inImage(...command);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(readdirSync(node)).toEqual([]);
  }
});
