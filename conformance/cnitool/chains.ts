/** Chains of our plugins with the reference's bandwidth and sbr, each alone and all together, and the chains of runtimes. */
import type { JsonRecord } from "../engine/network.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase } from "./case.ts";
import type { Life, Wanted } from "./life.ts";
import { NEIGHBOURS, type Neighbour } from "./neighbours.ts";
import { bridgePlugin, type Family, isAtLeast, list, type Version } from "./networks.ts";

const FAMILIES_HERE: readonly Family[] = [4, 6];

/** Each form that a prevResult has, as far as all of these know it. */
const versionsOf = (neighbours: readonly Neighbour[]): Version[] =>
  (["0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const).filter((version) =>
    neighbours.every(({ since = "0.3.0" }) => isAtLeast(version, since)),
  );

interface Chain {
  readonly name: string;
  readonly version: Version;
  /** Keys of the bridge plugin. */
  readonly bridge: JsonRecord;
  readonly backend: "iptables" | "nftables";
  /** Plugins before the bridge. */
  readonly before?: readonly JsonRecord[];
  readonly neighbours: readonly Neighbour[];
}

function chainCase({ name, version, bridge, backend, before = [], neighbours }: Chain): ScratchCase {
  const plugins = [
    ...before,
    bridgePlugin(FAMILIES_HERE, { ipMasq: true, ipMasqBackend: backend, ...bridge }),
    ...neighbours.map(({ plugin }) => plugin),
  ];
  const wanted: Wanted = Object.assign(
    { version, families: FAMILIES_HERE, backend },
    ...neighbours.map(({ changes }) => changes ?? {}),
  );
  const capabilities: JsonRecord = Object.assign(
    {},
    ...neighbours.map((neighbour) => neighbour.capabilities ?? {}),
  );
  return toolCase({
    name: `chain: ${name}, ${version}`,
    config: ["10-net.conflist", list(version, plugins)],
    wanted,
    options: { capabilities },
    keeps: neighbours.flatMap(({ keeps }) => keeps ?? []),
    run: async (life, _tool, outside) => {
      await life.endsWell("status");
      await life.add();
      await life.reaches();
      for (const { works } of neighbours) await works(life, outside);
      await life.check();
      await checkFindsLoss(life, version);
      await life.del();
      for (const { gone } of neighbours) await gone?.(life);
    },
  });
}

/** With the result of the whole chain as its prevResult, ours still sees what is missing. */
async function checkFindsLoss(life: Life, version: Version): Promise<void> {
  if (version === "0.3.1") return;
  const { host } = life.scene;
  await host.run("ip addr del 10.61.0.1/24 dev cni0");
  await life.checkFails(/gateway address 10\.61\.0\.1\/24 is missing/);
  await host.run("ip addr add 10.61.0.1/24 brd + dev cni0");
  await life.check();
}

/** With one masquerade backend and the other in turn. */
const inAllVersions = (name: string, neighbours: readonly Neighbour[], index: number): ScratchCase[] =>
  versionsOf(neighbours).map((version, turn) =>
    chainCase({
      name,
      version,
      bridge: {},
      backend: (index + turn) % 2 === 0 ? "iptables" : "nftables",
      neighbours,
    }),
  );

const EACH = Object.entries(NEIGHBOURS)
  .filter(([name]) => !name.includes(", as of "))
  .flatMap(([name, neighbour], index) => inAllVersions(name, [neighbour], index));

const { tuning, firewall, bandwidth, sbr } = NEIGHBOURS;
const ALL = ["iptables", "nftables"].flatMap((backend, index) => {
  const portmap = backend === "iptables" ? NEIGHBOURS["portmap, iptables"] : NEIGHBOURS["portmap, nftables"];
  return inAllVersions(
    `all neighbours, portmap by ${backend}`,
    [tuning, portmap, firewall, bandwidth, sbr],
    index,
  );
});

/** tuning without a configuration of its own, as podman and nerdctl have it. */
const PLAIN_TUNING: Neighbour = {
  plugin: { type: "tuning" },
  keeps: NEIGHBOURS.tuning.keeps ?? [],
  works: async () => {},
};

const OF_RUNTIMES: readonly ScratchCase[] = [
  chainCase({
    name: "as of podman",
    version: "0.4.0",
    bridge: { hairpinMode: true, capabilities: { ips: true } },
    backend: "iptables",
    neighbours: [NEIGHBOURS["portmap, iptables"], NEIGHBOURS.firewall, PLAIN_TUNING],
  }),
  chainCase({
    name: "as of nerdctl",
    version: "1.0.0",
    bridge: { hairpinMode: true, ipRange: "" },
    backend: "iptables",
    neighbours: [NEIGHBOURS["portmap, iptables"], NEIGHBOURS["firewall, same-bridge"], PLAIN_TUNING],
  }),
  chainCase({
    name: "as of containerd",
    version: "1.0.0",
    bridge: { promiscMode: true },
    backend: "iptables",
    neighbours: [NEIGHBOURS["portmap, iptables"]],
  }),
  // flannel delegates to bridge with these keys.
  chainCase({
    name: "as of k3s",
    version: "1.0.0",
    bridge: { hairpinMode: true, forceAddress: true },
    backend: "iptables",
    neighbours: [NEIGHBOURS["portmap, as of Nomad"], NEIGHBOURS["bandwidth, as of k3s"]],
  }),
  chainCase({
    name: "as of CRI-O",
    version: "1.0.0",
    bridge: { hairpinMode: true },
    backend: "iptables",
    neighbours: [],
  }),
];

/** loopback stands first, and has no place in the result: firewall takes the bridge from the first interface. */
const OF_NOMAD: readonly ScratchCase[] = [
  chainCase({
    name: "as of Nomad",
    version: "0.4.0",
    before: [{ type: "loopback" }],
    bridge: { forceAddress: true, hairpinMode: false },
    backend: "iptables",
    neighbours: [NEIGHBOURS["firewall, as of Nomad"], NEIGHBOURS["portmap, as of Nomad"]],
  }),
  ...(["0.4.0", "1.0.0", "1.1.0"] as const).map((version) =>
    chainCase({
      name: "loopback first, and firewall that isolates bridges",
      version,
      before: [{ type: "loopback" }],
      bridge: {},
      backend: "nftables",
      neighbours: [NEIGHBOURS["firewall, same-bridge"], NEIGHBOURS["portmap, iptables"]],
    }),
  ),
];

export const CHAIN_CASES: readonly ScratchCase[] = [...EACH, ...ALL, ...OF_RUNTIMES, ...OF_NOMAD];
