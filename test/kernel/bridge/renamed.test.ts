/** The file under names that others gave it (K11): KubeVirt, OpenShift and Rancher install "bridge" as "cnv-bridge". */
import { expect } from "bun:test";
import { copyFileSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { builtBinaries, callProgram } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { hostLocal, listing, networkTest, prepare, V4 } from "./network.ts";

/** A folder of plugins under other names: each a symbolic link to the file that is called "bridge". */
function renamed(...names: string[]): ProgramFolder {
  const folder = new ProgramFolder();
  for (const name of new Set(names)) symlinkSync(join(builtBinaries(), "bridge"), join(folder.path, name));
  return folder;
}

/** Calls of a plugin of the folder for the container c1. */
async function caller(host: ScratchHost, { path }: ProgramFolder, name: string, keys: object) {
  const one = await prepare(host, "c1", { isGateway: true, ...keys });
  return {
    one,
    run: (command: string, more: object = {}, under: readonly string[] = []) =>
      callProgram([...under, join(path, name)], one.request(command, more), path),
  };
}

const keysFor = (type: string, ipam: string) => ({
  type,
  ipMasq: true,
  ipam: { ...hostLocal(V4), type: ipam },
});

networkTest.each([
  ["cnv-bridge", "host-local", "cnv-bridge"],
  ["cnv-bridge", "cnv-host-local", "cnv-bridge"],
  ["my-bridge-host-local", "its-host-local", "bridge"],
  ["bridgehead", "host-local", "bridge"],
])("K11: the file as %s with IPAM %s serves every command", async (host, name, ipam, type) => {
  using folder = renamed(name, ipam);
  const { one, run } = await caller(host, folder, name, keysFor(type, ipam));
  const added = await run("ADD");
  expect(`${added}`).toStartWith("exit code 0");
  expect(await one.addresses()).toEqual(["10.77.0.2/24"]);
  for (const [command, keys] of [
    ["CHECK", { prevResult: added.json() }],
    ["STATUS", {}],
    ["GC", listing("c1")],
    ["DEL", {}],
    ["DEL", {}],
  ] as const)
    expect(`${command}: ${await run(command, keys)}`).toBe(`${command}: exit code 0, stdout "", stderr ""`);
});

networkTest("K11: a renamed host-local that is this file runs in the same process", async (host) => {
  using folder = renamed("cnv-bridge", "my-bridge-host-local");
  const keys = { ...keysFor("cnv-bridge", "my-bridge-host-local"), ipMasq: false };
  const { run } = await caller(host, folder, "cnv-bridge", keys);
  for (const command of ["ADD", "DEL"]) {
    const trace = join(folder.path, `trace-${command}`);
    const outcome = await run(command, {}, ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace]);
    expect(`${command}: ${outcome}`).toStartWith(`${command}: exit code 0`);
    expect(readFileSync(trace, "utf8").match(/execve\(/g)?.length).toBe(1);
  }
});

networkTest.each([
  ["a link", "cnv-bridge"],
  ["another link to this file", "other-bridge"],
  ["a copy", "copy-bridge"],
])("K11: an IPAM that is this plugin itself is refused, and nothing stays: %s", async (host, _, ipam) => {
  using folder = ipam === "copy-bridge" ? renamed("cnv-bridge") : renamed("cnv-bridge", ipam);
  if (ipam === "copy-bridge") copyFileSync(join(builtBinaries(), "bridge"), join(folder.path, ipam));
  const { run } = await caller(host, folder, "cnv-bridge", keysFor("cnv-bridge", ipam));
  const msg = expect.stringMatching(/call itself without end/);
  await host.unchangedBy(async () => {
    for (const command of ["ADD", "STATUS"])
      expect((await run(command)).json()).toMatchObject({ code: 7, msg });
  });
});
