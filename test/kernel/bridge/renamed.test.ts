/** The file under names that others gave it (K11): KubeVirt, OpenShift and Rancher install "bridge" as "cnv-bridge". */
import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../../support/command.ts";
import { builtBinaries, callPlugin } from "../../support/plugin-call.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { type AddResult, configuration, type ErrorDocument, hostLocal, V4, withNetwork } from "./network.ts";

/** A folder of plugins under other names: each a symbolic link to the file that is called "bridge". */
class Folder implements Disposable {
  /** Not below /run or /var/lib, which belong to the host's state. */
  readonly path = mkdtempSync("/tmp/renamed-");

  link(...names: string[]): void {
    for (const name of names) symlinkSync(join(builtBinaries(), "bridge"), join(this.path, name));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const networkOf = (type: string, ipam: string) =>
  configuration({ type, isGateway: true, ipMasq: true, ipam: { ...hostLocal(V4), type: ipam } });

const callOf = (command: string, namespace: NamedNamespace, config: object) => ({
  command,
  containerId: namespace.name,
  netns: namespace.path,
  ifname: "eth0",
  config,
});

test.each([
  ["cnv-bridge", "host-local", "cnv-bridge"],
  ["cnv-bridge", "cnv-host-local", "cnv-bridge"],
  ["my-bridge-host-local", "its-host-local", "bridge"],
  ["bridgehead", "host-local", "bridge"],
])("K11: the file as %s with IPAM %s serves every command", (name, ipam, type) =>
  withNetwork(async (host) => {
    using folder = new Folder();
    folder.link(name, ipam);
    const config = networkOf(type, ipam);
    const namespace = await host.addNamespace("c1");
    const run = (command: string, keys: object = {}) =>
      callPlugin(name, callOf(command, namespace, { ...config, ...keys }), folder.path);

    const added = await run("ADD");
    expect(`${added}`).toStartWith("exit code 0");
    expect(await namespace.run("ip -4 -br addr show dev eth0")).toContain("10.77.0.2/24");
    for (const [command, keys] of [
      ["CHECK", { prevResult: added.json<AddResult>() }],
      ["STATUS", {}],
      ["GC", { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] }],
      ["DEL", {}],
      ["DEL", {}],
    ] as const)
      expect([command, `${await run(command, keys)}`]).toEqual([
        command,
        'exit code 0, stdout "", stderr ""',
      ]);
  }),
);

test("K11: a renamed host-local that is this file runs in the same process", () =>
  withNetwork(async (host) => {
    using folder = new Folder();
    folder.link("cnv-bridge", "my-bridge-host-local");
    const config = { ...networkOf("cnv-bridge", "my-bridge-host-local"), ipMasq: false };
    const namespace = await host.addNamespace("c1");
    const { containerId, netns, ifname } = callOf("", namespace, config);
    const env = { CNI_CONTAINERID: containerId, CNI_NETNS: netns, CNI_IFNAME: ifname, CNI_PATH: folder.path };
    for (const command of ["ADD", "DEL"]) {
      const trace = join(folder.path, `trace-${command}`);
      const strace = `strace -f -qq -e trace=execve -o ${trace} ${folder.path}/cnv-bridge`;
      const outcome = await outcomeOf(["/bin/sh", "-c", strace], {
        env: { ...env, CNI_COMMAND: command, PATH: process.env.PATH ?? "" },
        stdin: JSON.stringify(config),
      });
      expect([command, outcome.exitCode]).toEqual([command, 0]);
      expect(readFileSync(trace, "utf8").match(/execve\(/g)?.length).toBe(1);
    }
  }));

test.each([
  ["a link", "cnv-bridge", "cnv-bridge"],
  ["another link to this file", "cnv-bridge", "other-bridge"],
  ["a copy", "cnv-bridge", "copy-bridge"],
])("K11: an IPAM that is this plugin itself is refused, and nothing stays: %s", (_, name, ipam) =>
  withNetwork(async (host) => {
    using folder = new Folder();
    folder.link(...new Set(ipam === "copy-bridge" ? [name] : [name, ipam]));
    if (ipam === "copy-bridge") copyFileSync(join(builtBinaries(), "bridge"), join(folder.path, ipam));
    const namespace = await host.addNamespace("c1");
    const config = networkOf(name, ipam);
    const before = await host.state();
    for (const command of ["ADD", "STATUS"]) {
      const outcome = await callPlugin(name, callOf(command, namespace, config), folder.path);
      expect(outcome.json<ErrorDocument>()).toMatchObject({
        code: 7,
        msg: expect.stringMatching(/call itself without end/),
      });
    }
    expect(await host.state()).toEqual(before);
  }),
);
