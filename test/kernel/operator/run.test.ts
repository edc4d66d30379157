/** O17, O18: `run` calls a chain as runtimes do, with libcni's cache. conformance/cnitool has it and cnitool take turns. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { command } from "../../operator/recording.ts";
import { hostTests } from "../../support/host-test.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { ProgramFolder } from "../../support/program-folder.ts";
import type { NamedNamespace } from "../../support/scratch-host.ts";
import { type AddResult, addressesOn, configuration, leased, linkNames, STAYS } from "../bridge/network.ts";

const NETWORKS = "/run/networks";
const RECORDED = "/run/recorded";

/** A plugin that notes its calls, hands the result on, and fails when its configuration says so. */
const RECORDER = `
const stdin = await Bun.stdin.json();
const { CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_ARGS: args } = process.env;
require("node:fs").appendFileSync("${RECORDED}", JSON.stringify({ command, id, netns, args, stdin }) + "\\n");
if (stdin.fails === command) {
  console.log(JSON.stringify({ cniVersion: "1.1.0", code: 123, msg: "as asked", details: "more" }));
  process.exit(1);
}
if (command === "ADD") console.log(JSON.stringify(stdin.prevResult));
`;

interface Recorded {
  readonly command: string;
  readonly id: string;
  readonly netns: string;
  readonly args: string;
  readonly stdin: Record<string, unknown>;
}

/** The calls since the last look. */
function recorded(): Recorded[] {
  const lines = existsSync(RECORDED) ? readFileSync(RECORDED, "utf8").trim().split("\n") : [];
  rmSync(RECORDED, { force: true });
  return lines.map((line) => JSON.parse(line) as Recorded);
}

const write = (name: string, plugins: readonly object[]) =>
  writeFileSync(
    `${NETWORKS}/${name}.conflist`,
    JSON.stringify({ cniVersion: "1.1.0", name: "testnet", plugins }),
  );

const runTest = hostTests({ mayKeep: [...STAYS, /^file \/var\/lib\/cni\/results\/ 700$/] });

runTest("O2, O4, O17: a container's life, and what is refused", async (host) => {
  using programs = new ProgramFolder();
  programs.script("recorder", `exec ${process.execPath} ${programs.file("recorder.ts", RECORDER)}`);
  mkdirSync(NETWORKS);
  const bridge = configuration({ isGateway: true, name: undefined, cniVersion: undefined });
  const portmap = { type: "portmap", backend: "nftables", capabilities: { portMappings: true } };
  write("10", [bridge, portmap, { type: "recorder" }]);
  const run = async (words: string, environment: Readonly<Record<string, string>> = {}) =>
    await command(
      [
        "run",
        ...words.split(" "),
        "--config-dir",
        NETWORKS,
        "--plugin-dir",
        `${builtBinaries()}:${programs.path}`,
      ],
      { environment: { PATH: process.env.PATH ?? "", ...environment } },
    );
  const c1: NamedNamespace = await host.addNamespace("c1");
  const one = `--netns ${c1.path} --id c1`;

  // ADD, which cnitool finds in the cache.
  const args = { CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=pod" };
  const added = await run(`ADD testnet ${one} --port 8080:80/tcp --yes`, args);
  expect(added).toMatchObject({ exitCode: 0, stderr: "" });
  const result = JSON.parse(added.stdout) as AddResult;
  expect(result).toMatchObject({ cniVersion: "1.1.0", ips: [{ address: "10.77.0.2/24" }] });
  expect(await addressesOn(c1, "eth0")).toEqual(["10.77.0.2/24"]);
  expect(await host.run("nft list ruleset")).toContain("dnat");
  const [call] = recorded();
  expect(call).toMatchObject({ command: "ADD", id: "c1", netns: c1.path, args: args.CNI_ARGS });
  expect(call?.stdin).toEqual({ type: "recorder", cniVersion: "1.1.0", name: "testnet", prevResult: result });
  const cacheFile = "/var/lib/cni/results/testnet-c1-eth0";
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];
  expect(JSON.parse(readFileSync(cacheFile, "utf8"))).toEqual({
    kind: "cniCacheV1",
    containerId: "c1",
    config: readFileSync(`${NETWORKS}/10.conflist`).toString("base64"),
    ifName: "eth0",
    networkName: "testnet",
    netns: c1.path,
    cniArgs: [
      ["IgnoreUnknown", "1"],
      ["K8S_POD_NAME", "pod"],
    ],
    capabilityArgs: { portMappings },
    result,
  });

  // A second ADD would end with a DEL of the first one's interface.
  const again = await run(`ADD testnet ${one}`);
  expect(again.exitCode).toBe(1);
  expect(JSON.parse(again.stdout)).toMatchObject({ cniVersion: "1.1.0", code: 4 });
  expect(again.stdout).toMatch(/already has interface .*eth0.* DEL it first/);
  expect(recorded()).toEqual([]);

  expect(await run(`CHECK testnet ${one}`)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(recorded()).toMatchObject([
    { command: "CHECK", args: args.CNI_ARGS, stdin: { prevResult: result } },
  ]);
  expect(await run("STATUS testnet")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(await run("GC testnet")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  const valid = [{ containerID: "c1", ifname: "eth0" }];
  const gc = {
    command: "GC",
    id: "",
    stdin: { "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid },
  };
  expect(recorded()).toMatchObject([{ command: "STATUS", id: "", netns: "" }, gc]);
  expect(leased()).toEqual(["10.77.0.2"]);
  const steps = (await run("STATUS testnet --explain-steps")).stderr;
  expect(steps).toMatch(/^\d+ +\d+ begin STATUS$/m);
  recorded();
  writeFileSync("/var/lib/cni/results/other", "{");
  expect(await run("GC testnet")).toMatchObject({ exitCode: 4, stdout: "" });
  rmSync("/var/lib/cni/results/other");

  // DEL knows from the cache what ADD got, also when the network's file has changed; what failed can be called again.
  write("10", [{ type: "missing" }]);
  rmSync(`${programs.path}/recorder`);
  const failed = await run("DEL testnet --id c1");
  expect(failed.exitCode).toBe(1);
  expect(JSON.parse(failed.stdout).msg).toContain('failed to find plugin "recorder" in path');
  expect(existsSync(cacheFile)).toBe(true);
  programs.script("recorder", `exec ${process.execPath} ${programs.path}/recorder.ts`);
  expect(await run("DEL testnet --id c1")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(recorded()).toMatchObject([{ command: "DEL", netns: c1.path, stdin: { prevResult: result } }]);
  expect(existsSync(cacheFile)).toBe(false);
  expect([leased(), await linkNames(c1)]).toEqual([[], ["lo"]]);
  expect(await host.run("nft list ruleset")).not.toContain("dnat");

  // An empty cache frees everything, so it must be meant.
  write("10", [bridge, { type: "recorder" }]);
  expect(await run("GC testnet")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/GC would free all addresses; say --none-alive if that is meant/),
  });
  expect(await run("GC testnet --none-alive")).toMatchObject({ exitCode: 0 });
  expect(recorded()).toMatchObject([{ stdin: { "cni.dev/valid-attachments": [] } }]);

  // A failed ADD is undone by DEL of the whole chain, the last plugin first.
  write("10", [bridge, { type: "recorder", fails: "ADD" }]);
  const undone = await run(`ADD testnet ${one}`);
  expect(undone.exitCode).toBe(1);
  expect(JSON.parse(undone.stdout)).toEqual({
    cniVersion: "1.1.0",
    code: 123,
    msg: 'plugin type="recorder" failed (add): as asked',
    details: "more",
  });
  expect(recorded().map((each) => each.command)).toEqual(["ADD", "DEL"]);
  expect([leased(), await linkNames(c1), existsSync(cacheFile)]).toEqual([[], ["lo"], false]);

  // Another program's interface is not taken away by the undo.
  await c1.run("ip link add eth0 type bridge");
  const occupied = await run(`ADD testnet ${one}`);
  expect(JSON.parse(occupied.stdout).details).toContain("nothing was undone");
  expect([recorded(), await linkNames(c1)]).toEqual([[], ["eth0", "lo"]]);
  await c1.run("ip link delete eth0");

  for (const [words, problem] of [
    [`ADD testnet ${one} --port 8080:80`, '"capabilities": {"portMappings": true} to the plugin portmap in'],
    ["ADD testnet --id c1", "ADD needs --netns PATH"],
    ["DEL testnet", "or the --id of a container"],
    ["GC testnet --id c1", "GC is of a whole network; leave out --id"],
    [`ADD nowhere ${one}`, 'no network of /run/networks has the name "nowhere": there are "testnet"'],
  ] as const)
    expect(await run(words)).toMatchObject({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringContaining(problem),
    });
  rmSync(NETWORKS, { recursive: true });
});
