/** Both sides allocate from one range: in turn, by chance, and at the same time. No address twice, no lease lost. */
import { leases } from "../kernel-facts.ts";
import { NETWORK, NETWORKS, type Network, network } from "./network.ts";
import { bare, type Container, type Node, nodeCase, type Result, type Who } from "./node.ts";

const SIDES: readonly Who[] = ["reference", "ours"];

/** A row of numbers from 0 to 1 that a seed decides (mulberry32). */
function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const STEPS = 24;

/** ADD, CHECK and DEL of whatever there is, each by either side; after each step everything must be right. */
async function byChance(node: Node, seed: number): Promise<void> {
  const next = chances(seed);
  const one = <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)] as T;
  for (let step = 0; step < STEPS; step += 1) {
    const living = [...node.containers.values()];
    const who = one(SIDES);
    const action = living.length === 0 ? "ADD" : one(["ADD", "ADD", "CHECK", "DEL", "DEL"]);
    const id = `c${step}`;
    if (action === "ADD") await node.add(who, id);
    else if (action === "CHECK") await node.check(who, one(living));
    else await node.del(who, one(living), { withResult: next() < 0.7 });
    await node.judgeAll(`step ${step}, ${action} by ${who}`);
  }
  for (const container of [...node.containers.values()]) await node.del(one(SIDES), container);
  await node.judgeAll("none left");
}

const EACH = 6;

/**
 * Twelve ADDs at the same time, then twelve DELs by the other side. `hasBridge`: a container has made the bridge
 * before, so that each can know the MAC that it will have.
 */
async function together(node: Node, hasBridge: boolean): Promise<void> {
  const { judge } = node.scene;
  if (hasBridge) await node.del("ours", await node.add("reference", "first"));
  const ids = Array.from({ length: 2 * EACH }, (_, index) => `c${index}`);
  const fresh: Container[] = [];
  for (const id of ids) fresh.push(await node.container(id));
  const sideOf = (index: number): Who => SIDES[index % 2] ?? "ours";
  const added = await Promise.all(
    fresh.map((container, index) => node.call(sideOf(index), "ADD", container)),
  );
  for (const [index, outcome] of added.entries()) {
    const container = fresh[index];
    judge.holds(`ADD of c${index} by ${sideOf(index)}`, outcome.exitCode === 0, outcome.toString());
    if (container === undefined || outcome.exitCode !== 0) continue;
    container.result = outcome.json<Result>();
    node.containers.set(`${container.id} ${container.ifname}`, container);
  }
  await node.judgeAll("all at the same time");
  for (const who of SIDES) {
    const checked = await Promise.all(fresh.map((container) => node.call(who, "CHECK", container)));
    const failed = checked.filter(
      ({ exitCode, stdout }) => exitCode !== 0 && (hasBridge || !MAC_MOVED.test(stdout)),
    );
    judge.same(`CHECK of all by ${who}`, failed.map(String), []);
  }
  await Promise.all(fresh.map((container, index) => node.del(sideOf(index + 1), container)));
  await node.judgeAll("all gone at the same time");
}

/**
 * A bridge that the reference makes takes the MAC of a port until the reference gives it one (G21): who attaches in this
 * moment reports a MAC that it does not keep.
 */
const MAC_MOVED = /Bridge interface cni0 Mac doesn't match/;

/** A full range is full for both; what one releases the other gives. */
async function full(node: Node): Promise<void> {
  const { judge } = node.scene;
  const message = /no IP addresses available in range set/;
  const c0 = await node.add("ours", "c0");
  const c1 = await node.add("reference", "c1");
  const late = await node.container("late");
  for (const who of SIDES) {
    const outcome = await node.call(who, "ADD", late);
    judge.says(`ADD by ${who} when the range is full`, outcome.stdout, message);
    await node.del(who, late);
  }
  await node.del("reference", c0);
  await node.addTo("ours", late);
  judge.same("the address that was released", late.result.ips?.[0]?.address, c0.result.ips?.[0]?.address);
  await node.del("ours", c1);
  const c2 = await node.add("reference", "c2");
  judge.same("the other that was released", c2.result.ips?.[0]?.address, c1.result.ips?.[0]?.address);
  await node.judgeAll("full again");
  await node.del("ours", c2);
  await node.del("reference", late);
  await node.judgeAll("none left");
}

/** The round goes on where the other side has stopped. */
async function round(node: Node): Promise<void> {
  const given: string[] = [];
  for (let index = 0; index < 6; index += 1) {
    const container = await node.add(SIDES[index % 2] ?? "ours", `c${index}`);
    given.push(bare(container.result.ips?.[0]?.address ?? ""));
    await node.del(SIDES[(index + 1 + Math.floor(index / 2)) % 2] ?? "ours", container);
    node.scene.judge.same(`leases after c${index}`, leases(NETWORK), {});
  }
  const wanted = [2, 3, 4, 5, 6, 7].map((host) => `10.71.0.${host}`);
  node.scene.judge.same("addresses in a round", given, wanted);
}

const leaseCase = (name: string, net: Network, body: (node: Node) => Promise<void>) =>
  nodeCase(`leases: ${name}, ${net.name}`, net, body);

export const LEASE_CASES = [
  ...NETWORKS.map((net, index) =>
    leaseCase(`by chance, seed ${index + 1}`, net, (node) => byChance(node, index + 1)),
  ),
  ...NETWORKS.map((net) => leaseCase("at the same time", net, (node) => together(node, true))),
  leaseCase("at the same time, no bridge yet", network({ backend: "nftables", families: [4, 6] }), (node) =>
    together(node, false),
  ),
  leaseCase("a full range", network({ version: "1.0.0", rangeEnd: "10.71.0.3" }), full),
  leaseCase("in a round", network(), round),
];
