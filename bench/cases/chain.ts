/** The chains of runtimes: all their plugins, one after another, beside standing attachments of the same chain. */
import { addNamespaces, DUAL_STACK, MASQUERADE } from "../attachment.ts";
import { type BenchCase, type Contender, type Surroundings, sidesOf } from "../case.ts";
import {
  type Chain,
  type ChainOptions,
  chainSteps,
  ofContainerd,
  ofNerdctl,
  portsText,
  stepsOfPlugin,
} from "../chain.ts";
import type { BenchHost } from "../host.ts";
import { stand } from "../standing.ts";

const STANDING = 10;

/** nerdctl's network of both families: containerd's shape without promiscMode. */
const DUAL_MASQUERADE = {
  name: "dual-stack + ipMasq",
  config: { ...DUAL_STACK.config, promiscMode: false },
};

/** A host with a free namespace, beside standing attachments of a chain. */
async function hostBeside(
  { programs, host }: Surroundings,
  name: string,
  options: Pick<ChainOptions, "folder" | "chain">,
  count = STANDING,
): Promise<BenchHost> {
  const place = await host(name);
  await addNamespaces(place, "measured", 1);
  await stand(place, { ...options, copier: programs.copier }, count);
  return place;
}

const ofChain = (name: string, title: string, chain: Chain): BenchCase => ({
  ...{ name, title, seconds: 80, rounds: 30, quickRounds: 4, census: true },
  open: async (surroundings) => {
    const contenders: Contender[] = [];
    for (const [side, folder] of sidesOf(surroundings.programs, "with copies")) {
      const place = await hostBeside(surroundings, side, { folder, chain });
      contenders.push({ side, variant: "", host: place, steps: chainSteps({ folder, chain }) });
    }
    return contenders;
  },
});

/** bridge makes the interface, and portmap alone is measured: one port is published, or a hundred at once. */
const PORTS: BenchCase = {
  name: "chain-ports",
  title: "portmap alone",
  seconds: 120,
  rounds: 20,
  quickRounds: 2,
  census: true,
  open: async (surroundings) => {
    const contenders: Contender[] = [];
    for (const size of [1, 100]) {
      const chain = ofContainerd(MASQUERADE, size);
      const copies = size === 1 ? "with copies" : "without copies";
      for (const [side, folder] of sidesOf(surroundings.programs, copies)) {
        const standing = { folder, chain: ofContainerd(MASQUERADE, 1) };
        const place = await hostBeside(surroundings, `${side}-${size}`, standing);
        const steps = stepsOfPlugin("portmap", { folder, chain });
        contenders.push({ side, variant: portsText(size), size, host: place, steps });
      }
    }
    return contenders;
  },
};

const STOOD: BenchCase = {
  name: "chain-standing",
  title: "nerdctl's chain, IPv4, 1 port, beside standing attachments",
  seconds: 200,
  rounds: 20,
  quickRounds: 2,
  open: async (surroundings) => {
    const contenders: Contender[] = [];
    const chain = ofNerdctl(MASQUERADE, 1);
    for (const size of surroundings.quick ? [10, 500] : [10, 500, 2000]) {
      for (const [side, folder] of sidesOf(surroundings.programs, "without copies")) {
        const place = await hostBeside(surroundings, `${side}-${size}`, { folder, chain }, size);
        const [add, , del] = chainSteps({ folder, chain });
        const variant = `${size.toLocaleString("en")} attachments`;
        contenders.push({ side, variant, size, host: place, steps: [add, del] });
      }
    }
    return contenders;
  },
};

export const CHAINS: readonly BenchCase[] = [
  ofChain("chain", "nerdctl's chain, IPv4", ofNerdctl(MASQUERADE, 0)),
  ofChain("chain-port", "nerdctl's chain, IPv4, 1 port", ofNerdctl(MASQUERADE, 1)),
  ofChain("chain-dual", "nerdctl's chain, dual-stack", ofNerdctl(DUAL_MASQUERADE, 0)),
  ofChain("chain-dual-port", "nerdctl's chain, dual-stack, 1 port", ofNerdctl(DUAL_MASQUERADE, 1)),
  ofChain("chain-containerd", "containerd's chain, dual-stack, 1 port", ofContainerd(DUAL_STACK, 1)),
  PORTS,
  STOOD,
];
