/** tuning: what one side has saved, the other restores, and each checks what the other has set. */
import { existsSync } from "node:fs";
import { callPlugin, type PluginOutcome } from "../../test/support/plugin-call.ts";
import type { Scene, ScratchCase } from "../scratch-lanes.ts";
import type { Who } from "./node.ts";

const FILE = "/run/cni/tuning/c1_eth0.json";
const SETTINGS = { mac: "02:00:5e:10:00:0a", mtu: 1400, allmulti: true, txQLen: 500 };
const ALL = { ...SETTINGS, promisc: true, sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } };

type Call = (who: Who, command: string) => Promise<PluginOutcome>;

/** A container with an interface, as an earlier plugin leaves it. */
async function withContainer(
  { host, judge, programs }: Scene,
  run: (call: Call, shown: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const container = await host.addNamespace("c1");
  await container.run(`ip link add eth0 address 02:00:5e:00:00:02 type veth peer name peer0
    ip link set peer0 up; ip link set eth0 up`);
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "eth0", mac: "02:00:5e:00:00:02", sandbox: container.path }],
  };
  const call: Call = async (who, command) => {
    const config = { cniVersion: "1.0.0", name: "net", type: "tuning", prevResult, ...ALL };
    const attachment = { containerId: "c1", netns: container.path, ifname: "eth0" };
    const outcome = await callPlugin("tuning", { command, ...attachment, config }, programs[who]);
    judge.holds(`${command} by ${who}`, outcome.exitCode === 0, outcome.toString());
    return outcome;
  };
  await run(call, () => container.run("ip -d link show eth0 | sed 's/@[^:]*//'"));
}

const named = (name: string, run: ScratchCase["run"]): ScratchCase => ({
  name: `tuning, ${name}`,
  keeps: [/^file \/run\/cni\/(tuning\/)? [67]/],
  run,
});

const SIDES = [
  ["reference", "ours"],
  ["ours", "reference"],
] as const;

export const TUNING_CASES: readonly ScratchCase[] = SIDES.flatMap(([first, second]) => [
  named(`set by ${first}, given back by ${second}`, (scene) =>
    withContainer(scene, async (call, shown) => {
      const { judge } = scene;
      const before = await shown();
      await call(first, "ADD");
      const after = await shown();
      judge.says("the link", after, /mtu 1400 .*qlen 500\n.*02:00:5e:10:00:0a/);
      judge.says("its modes", after, /ALLMULTI.*PROMISC|PROMISC.*ALLMULTI/);
      for (const who of [second, first]) await call(who, "CHECK");
      await call(second, "DEL");
      judge.same("the link as before", await shown(), before);
      judge.same("the file is left", existsSync(FILE), false);
      await call(first, "DEL");
      judge.same("the link after a second DEL", await shown(), before);
    }),
  ),
  named(`one after the other, ${first} first`, (scene) =>
    withContainer(scene, async (call, shown) => {
      const before = await shown();
      for (const who of [first, second]) {
        await call(who, "ADD");
        await call(who === first ? second : first, "DEL");
        scene.judge.same(`as before, ADD by ${who}`, await shown(), before);
      }
    }),
  ),
]);
