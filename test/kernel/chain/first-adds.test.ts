/** Many first ADDs of a whole chain at once, on a host that has nothing yet. */
import { expect } from "bun:test";
import { hostTests } from "../../support/host-test.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { STAYS } from "../bridge/network.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { type Backend, ChainContainer } from "./container.ts";

/** Containers at once. */
const MANY = 16;
/** The host, as the outside knows it. */
const HOST = { 4: "10.70.0.1", 6: "fd70::1" } as const;

/** The bridge and the files of the plugins; no rule, no chain and no table of theirs. */
const KEPT = [
  ...STAYS.filter((pattern) => !pattern.source.includes("nft")),
  /^file \/run\/cni\/(tuning\/)? /,
];

/** Chains of one container whose names are digests. */
const OWN_CHAIN = /CNI-(DN-)?[0-9a-f]{20}|attachment-[0-9a-f]{16}-/;

/** What the tools list, without handles, counters and the elements of sets, in no order. */
async function listing(host: ScratchHost): Promise<string[]> {
  const lines = (await host.state()).filter((line) => /^(nft|ip6?tables-\w+) /.test(line));
  return lines.map((line) => line.replace(/,"elem":\[.*\]/, "")).sort();
}

/** What all containers share, and how many lines there are of single ones. */
async function parts(host: ScratchHost, containers: readonly ChainContainer[]) {
  const words = [OWN_CHAIN, ...containers.map((container) => container.words)];
  const lines = await listing(host);
  const shared = lines.filter((line) => !words.some((word) => word.test(line)));
  return { shared, own: lines.length - shared.length };
}

/** A machine outside of the host, which reaches it by both families. */
async function outsideOf(host: ScratchHost) {
  const outside = await host.addNamespace("outside");
  await host.run(`
    set -e
    ip link add out0 type veth peer name eth0 netns outside
    ip addr add ${HOST[4]}/24 dev out0
    ip addr add ${HOST[6]}/64 dev out0 nodad
    ip link set out0 up
    ip -n outside addr add 10.70.0.2/24 dev eth0
    ip -n outside addr add fd70::2/64 dev eth0 nodad
    ip -n outside link set eth0 up`);
  return outside;
}

/**
 * The published ports that answer by each family, as "ADDRESS/PORT" of the host. A container without a server refuses a
 * connection. The host itself is silent here.
 */
async function answering(host: ScratchHost, containers: readonly ChainContainer[]): Promise<string[]> {
  const outside = await outsideOf(host);
  await host.run(
    "nft 'table inet silent { chain input { type filter hook input priority 0; tcp dport >= 20000 drop; }; }'",
  );
  const attempts = Object.values(HOST).flatMap((address) =>
    containers.map(({ port }) => `(timeout 20 bash -c ": >/dev/tcp/${address}/${port}") 2>&1 &`),
  );
  const said = await outside.run(["bash", "-c", `${attempts.join("\n")}\nwait`]);
  await host.run("nft delete table inet silent; ip link delete out0");
  return [...said.matchAll(/\/dev\/tcp\/(\S+): Connection refused/g)].map(([, place = ""]) => place).sort();
}

const ROWS: [string, Backend, boolean][] = [
  ["nftables", "nftables", false],
  ["iptables", "iptables", false],
];
if ((await whyNoLegacy()) === undefined) ROWS.push(["iptables-legacy", "iptables", true]);

hostTests({ mayKeep: KEPT }).each(ROWS)(
  `M56, F36, A41: ${MANY} first ADDs at once make what one makes, and all containers work: %s`,
  async (host, _, backend, isLegacy) => {
    const programs = isLegacy ? await legacyHost() : undefined;
    const containers: ChainContainer[] = [];
    for (let index = 0; index < MANY; index++)
      containers.push(await ChainContainer.prepare(host, backend, index));
    const [first] = containers as [ChainContainer];
    await first.add();
    const one = await parts(host, [first]);
    await first.del();
    expect(await listing(host)).toEqual([]);
    await host.run("ip link delete br0");

    await Promise.all(containers.map((container) => container.add()));
    expect(await parts(host, containers)).toEqual({ shared: one.shared, own: MANY * one.own });
    for (const container of containers) await container.check();
    expect(await answering(host, containers)).toEqual(
      containers.flatMap(({ port }) => Object.values(HOST).map((address) => `${address}/${port}`)).sort(),
    );

    await Promise.all(containers.map((container) => container.del()));
    expect(await listing(host)).toEqual([]);
    await programs?.[Symbol.asyncDispose]();
  },
);
