/**
 * gc and status. `cnitool gc` deletes each attachment of the network that libcni has kept a result of, and then, from
 * 1.1.0 on, sends GC without a list of valid attachments. No list is not an empty list (rule A39): ours refuses, since a
 * container that cnitool knows nothing of would lose its address. So gc ends with our code 7, after it has deleted all
 * that it knows.
 */
import { existsSync } from "node:fs";
import { keptBridge, keptLeaseFolder } from "../../test/support/leftovers.ts";
import { callPlugin, type PluginCall } from "../../test/support/plugin-call.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import type { JsonRecord } from "../engine/network.ts";
import { answers, describeOutcome, hostVeths, leases, linkNamed, masqueraded } from "../kernel-facts.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase } from "./case.ts";
import type { Life } from "./life.ts";
import { bridgePlugin, GATEWAY, list, NETWORK, single, type Version } from "./networks.ts";
import { installRecorder, removeRecorder, takeRecorded } from "./recorder.ts";
import { type Cnitool, cachedResult, containerIdOf } from "./tool.ts";

const REFUSES =
  /failed to GC plugin bridge: .*"cni\.dev\/valid-attachments" is absent, and a live container must not lose its address/;

const BACKEND = "nftables";
const plugin = bridgePlugin([4], { ipMasq: true, ipMasqBackend: BACKEND });

/** Another network, on a bridge of its own. */
const OTHER = "netb";
const OTHER_PLUGIN: JsonRecord = {
  type: "bridge",
  bridge: "cni1",
  isGateway: true,
  ipam: { type: "host-local", ranges: [[{ subnet: "10.62.0.0/24" }]] },
};

/** A container of the network that another runtime has added: libcni has kept nothing of it. */
function foreignCall(command: string, container: NamedNamespace, version: Version): PluginCall {
  const config = single(version, plugin);
  return { command, containerId: "foreign", netns: container.path, ifname: "eth0", config };
}

async function collect(life: Life, tool: Cnitool, version: Version): Promise<void> {
  const { host, judge, programs } = life.scene;
  const [c2, c3, c4] = [
    await host.addNamespace("c2"),
    await host.addNamespace("c3"),
    await host.addNamespace("c4"),
  ];
  tool.write("20-other.conflist", list(version, [OTHER_PLUGIN], OTHER));
  await life.add();
  for (const [network, container] of [
    [NETWORK, c2],
    [OTHER, c3],
  ] as const) {
    const outcome = await tool.call("add", network, container);
    judge.require(`add of ${container.name}`, outcome.exitCode === 0, describeOutcome(outcome));
  }
  const foreign = await callPlugin("bridge", foreignCall("ADD", c4, version), programs.ours);
  judge.require("add of c4", foreign.exitCode === 0, foreign.toString());
  // A container whose namespace went without a DEL.
  await host.run("ip netns delete c2");

  const collected = await life.call("gc");
  const isRefused = version === "1.1.0";
  judge.same("exit code of gc", collected.exitCode, isRefused ? 1 : 0);
  if (isRefused) judge.says("gc", collected.stderr, REFUSES);
  else judge.same("gc says", collected.stderr, "");

  judge.same("c1 has no interface", await linkNamed(life.container, "eth0"), undefined);
  judge.same("leases of the network", leases(NETWORK), { "10.61.0.4": "foreign eth0" });
  judge.same("leases of the other", leases(OTHER), { "10.62.0.2": `${containerIdOf(c3)} eth0` });
  judge.same("masqueraded", await masqueraded(host), [{ backend: BACKEND, source: "10.61.0.4" }]);
  judge.same("pairs left", (await hostVeths(host)).length, 2);
  const kept = [life.container, c2, c3].map((container) =>
    existsSync(cachedResult(container === c3 ? OTHER : NETWORK, container)),
  );
  judge.same("results kept of c1, c2, c3", kept, [false, false, true]);
  judge.same("c4 reaches its gateway", await answers(c4, GATEWAY[4]), true);
  judge.same("c3 reaches its gateway", await answers(c3, "10.62.0.1"), true);
  judge.same("check of c3", (await tool.call("check", OTHER, c3)).exitCode, 0);

  if (isRefused) {
    await life.refused("gc", REFUSES);
    const { exitCode } = await life.call("gc", { plugins: programs.reference });
    judge.explained("G1", "GC is a silent success", exitCode === 0, exitCode);
  }
  const deleted = await callPlugin("bridge", foreignCall("DEL", c4, version), programs.ours);
  judge.same("del of c4", deleted.exitCode, 0);
  judge.same("del of c3", (await tool.call("del", OTHER, c3)).exitCode, 0);
  await life.gone();
}

const gcCase = (version: Version): ScratchCase =>
  toolCase({
    name: `gc, ${version}`,
    config: ["10-net.conflist", list(version, [plugin])],
    wanted: { version, families: [4], backend: BACKEND },
    keeps: [...keptBridge("cni1"), ...keptLeaseFolder(OTHER)],
    run: (life, tool) => collect(life, tool, version),
  });

/** What cnitool sends, seen by a plugin in the same chain. */
async function whatIsSent(life: Life): Promise<void> {
  const { judge } = life.scene;
  await life.add();
  takeRecorded();
  await life.endsWell("status");
  const { stderr } = await life.call("gc");
  judge.says("gc", stderr, REFUSES);
  const sent = takeRecorded().map(({ environment, stdin }) => ({
    command: environment.CNI_COMMAND,
    empty: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"].filter(
      (name) => environment[name] === "",
    ),
    keys: Object.keys(stdin).sort(),
  }));
  const nothing = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"];
  judge.same("what is sent", sent, [
    { command: "STATUS", empty: nothing, keys: ["cniVersion", "name", "type"] },
    { command: "DEL", empty: ["CNI_ARGS"], keys: ["cniVersion", "name", "prevResult", "type"] },
    { command: "GC", empty: nothing, keys: ["cniVersion", "name", "type"] },
  ]);
  await life.gone();
}

/** STATUS fails, and says this; then what is the matter goes away. */
const unready = async (life: Life, message: RegExp, mend: string): Promise<void> => {
  const { judge, host } = life.scene;
  await life.refused("status", message);
  await host.run(mend);
  await life.quiet("status");
  judge.same("leases", leases(NETWORK), {});
};

const wanted = { version: "1.1.0", families: [4], backend: BACKEND } as const;
const CONFIG_FILE = "10-net.conflist";
const CONFIG = [CONFIG_FILE, list("1.1.0", [plugin])] as const;
const small = (more: JsonRecord = {}): JsonRecord =>
  bridgePlugin([4], {
    ipMasq: true,
    ipMasqBackend: BACKEND,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: "10.61.0.0/24", rangeEnd: "10.61.0.2" }]],
      routes: [{ dst: "0.0.0.0/0" }],
      ...more,
    },
  });
const SMALL = small();
const STRICT = small({ statusReportsExhaustion: true });

const full = async (life: Life, tool: Cnitool): Promise<void> => {
  const { judge, host, programs } = life.scene;
  await life.quiet("status");
  await life.add();
  const { exitCode: isFull, stderr: counts } = await life.call("status");
  judge.same("exit code of status", isFull, 0);
  judge.says(
    "status",
    counts,
    /^host-local: no IP addresses available in range set 0 \(.*\): 1 of 1 held in .*\n$/,
  );
  tool.write(CONFIG_FILE, list("1.1.0", [STRICT]));
  await life.refused("status", /no IP addresses available in range set/);
  const { exitCode } = await life.call("status", { plugins: programs.reference });
  judge.explained("L1", "STATUS does not see that the addresses are exhausted", exitCode === 0, exitCode);
  tool.write(CONFIG_FILE, list("1.1.0", [SMALL]));
  const c2 = await host.addNamespace("c2");
  const second = await tool.call("add", NETWORK, c2);
  judge.says("add of a second", second.stderr, /no IP addresses available in range set/);
  await life.del();
  await life.quiet("status");
};

const foreignBridge = async (life: Life): Promise<void> => {
  const { host, judge, programs } = life.scene;
  await host.run("ip link add cni0 type veth peer name other0");
  const { exitCode } = await life.call("status", { plugins: programs.reference });
  judge.explained("G2", "STATUS does not look at the bridge's name", exitCode === 0, exitCode);
  await unready(life, /"cni0" already exists but is not a bridge/, "ip link del cni0");
};

export const COLLECTION_CASES: readonly ScratchCase[] = [
  ...(["0.4.0", "1.0.0", "1.1.0"] as const).map(gcCase),
  toolCase({
    name: "gc and status: what is sent",
    config: ["10-net.conflist", list("1.1.0", [plugin, { type: "recorder" }])],
    wanted,
    before: ["/run/recorder"],
    run: async (life) => {
      installRecorder();
      try {
        await whatIsSent(life);
      } finally {
        removeRecorder();
      }
    },
  }),
  toolCase({
    name: "status: ready",
    config: CONFIG,
    wanted,
    run: async (life) => {
      await life.changesNothing("status");
      await life.add();
      await life.changesNothing("status");
      await life.del();
    },
  }),
  toolCase({
    name: "status: addresses exhausted",
    config: [CONFIG_FILE, list("1.1.0", [SMALL])],
    wanted,
    run: full,
  }),
  toolCase({
    name: "status: the bridge's name is taken",
    config: CONFIG,
    wanted,
    run: foreignBridge,
  }),
];
