/** Several containers of one network, several networks of one container, and the walk-through that users follow. */
import { keptBridge, keptLeaseFolder } from "../../test/support/leftovers.ts";
import type { JsonRecord } from "../engine/network.ts";
import { answers, describeOutcome, leases, linkNamed, routes } from "../kernel-facts.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase } from "./case.ts";
import type { Life } from "./life.ts";
import { bridgePlugin, list, NETWORK, single } from "./networks.ts";
import { type Cnitool, containerIdOf } from "./tool.ts";

const DUAL = [4, 6] as const;
const dual = bridgePlugin(DUAL, { ipMasq: true, ipMasqBackend: "nftables" });

/** Containers added at the same time have addresses of their own and reach each other; any order of DEL. */
async function together(life: Life, tool: Cnitool): Promise<void> {
  const { host, judge } = life.scene;
  const names = ["c2", "c3", "c4", "c5"];
  const containers = await Promise.all(names.map((name) => host.addNamespace(name)));
  const all = [life.container, ...containers];
  const added = await Promise.all(all.map((container) => tool.call("add", NETWORK, container)));
  for (const outcome of added) judge.require("add", outcome.exitCode === 0, describeOutcome(outcome));
  const ends = await Promise.all(all.map((container) => linkNamed(container, "eth0")));
  const addresses = ends.map((end) => (end?.addresses ?? []).map((address) => address.replace(/\/.*/, "")));
  judge.same("addresses, each once", new Set(addresses.flat()).size, 2 * all.length);
  const owners = all.flatMap((container, index) =>
    (addresses[index] ?? []).map((address) => [address, `${containerIdOf(container)} eth0`] as const),
  );
  judge.same("leases", leases(NETWORK), Object.fromEntries(owners.sort(([a], [b]) => (a < b ? -1 : 1))));
  const reached = await Promise.all(
    all.flatMap((from, index) =>
      (addresses[(index + 1) % all.length] ?? []).map((address) => answers(from, address)),
    ),
  );
  judge.same("each reaches the next", new Set(reached), new Set([true]));
  for (const container of [all[2], all[0], all[4], all[1], all[3]]) {
    if (container === undefined) continue;
    judge.same(`check of ${container.name}`, (await tool.call("check", NETWORK, container)).exitCode, 0);
    judge.same(`del of ${container.name}`, (await tool.call("del", NETWORK, container)).exitCode, 0);
  }
  await life.gone();
}

const SECOND: JsonRecord = {
  type: "bridge",
  bridge: "cni1",
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: "iptables",
  ipam: { type: "host-local", ranges: [[{ subnet: "10.62.0.0/24" }]] },
};

/** DEL of one network leaves the other as it is. */
async function twoNetworks(life: Life, tool: Cnitool): Promise<void> {
  const { judge } = life.scene;
  tool.write("20-second.conf", single("1.1.0", SECOND, "netb"));
  await life.add();
  const second = { ifname: "net1" };
  const outcome = await tool.call("add", "netb", life.container, second);
  judge.require("add of the second", outcome.exitCode === 0, describeOutcome(outcome));
  judge.same("addresses of net1", (await linkNamed(life.container, "net1"))?.addresses, ["10.62.0.2/24"]);
  await life.check();
  await life.endsWell("del");
  judge.same("eth0 is gone", await linkNamed(life.container, "eth0"), undefined);
  judge.same("net1 is left", (await linkNamed(life.container, "net1"))?.addresses, ["10.62.0.2/24"]);
  judge.same("its gateway answers", await answers(life.container, "10.62.0.1"), true);
  judge.same("check of the second", (await tool.call("check", "netb", life.container, second)).exitCode, 0);
  judge.same("del of the second", (await tool.call("del", "netb", life.container, second)).exitCode, 0);
  await life.gone();
}

const WALK_THROUGH: JsonRecord = {
  cniVersion: "0.2.0",
  name: "mybridge",
  type: "bridge",
  bridge: "cni_bridge0",
  isGateway: true,
  ipMasq: true,
  ipam: {
    type: "host-local",
    subnet: "10.15.20.0/24",
    routes: [{ dst: "0.0.0.0/0" }, { dst: "1.1.1.1/32", gw: "10.15.20.1" }],
  },
};

async function walkThrough(life: Life, tool: Cnitool): Promise<void> {
  const { host, judge } = life.scene;
  const options = { ifname: "eth12" };
  const outcome = await tool.call("add", "mybridge", life.container, options);
  judge.require("add", outcome.exitCode === 0, describeOutcome(outcome));
  judge.same("result", JSON.parse(outcome.stdout), {
    cniVersion: "0.2.0",
    ip4: {
      ip: "10.15.20.2/24",
      gateway: "10.15.20.1",
      routes: [{ dst: "0.0.0.0/0" }, { dst: "1.1.1.1/32", gw: "10.15.20.1" }],
    },
    dns: {},
  });
  judge.same("addresses", (await linkNamed(life.container, "eth12"))?.addresses, ["10.15.20.2/24"]);
  judge.same("routes", await routes(life.container), [
    "1.1.1.1 via 10.15.20.1 dev eth12",
    "default via 10.15.20.1 dev eth12",
  ]);
  const rules = (await host.run("iptables-save | grep mybridge")).trim().split("\n");
  judge.same("rules", rules.map((rule) => rule.replace(/^.* -j (MASQUERADE|ACCEPT|CNI)-?.*$/, "$1")).sort(), [
    "ACCEPT",
    "CNI",
    "MASQUERADE",
  ]);
  judge.same("the gateway answers", await answers(life.container, "10.15.20.1"), true);
  const deleted = await tool.call("del", "mybridge", life.container, options);
  judge.same("del", [deleted.exitCode, deleted.stderr], [0, ""]);
  judge.same("rules left", await host.run("iptables-save | grep mybridge || true"), "");
  judge.same("leases left", leases("mybridge"), {});
  judge.same("interface left", await linkNamed(life.container, "eth12"), undefined);
}

export const SEVERAL_CASES: readonly ScratchCase[] = [
  toolCase({
    name: "several: five containers at the same time",
    config: ["10-net.conflist", list("1.1.0", [dual])],
    wanted: { version: "1.1.0", families: DUAL, backend: "nftables" },
    run: together,
  }),
  toolCase({
    name: "several: two networks of one container",
    config: ["10-net.conf", single("1.0.0", bridgePlugin([4], { ipMasq: true, ipMasqBackend: "iptables" }))],
    wanted: { version: "1.0.0", families: [4], backend: "iptables" },
    keeps: [...keptBridge("cni1"), ...keptLeaseFolder("netb")],
    run: twoNetworks,
  }),
  toolCase({
    name: "walk-through",
    config: ["10-mynet.conf", WALK_THROUGH],
    wanted: { version: "0.2.0", families: [4] },
    keeps: [...keptBridge("cni_bridge0"), ...keptLeaseFolder("mybridge")],
    run: walkThrough,
  }),
];
