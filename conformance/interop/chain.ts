/** nerdctl's chain with each plugin of either side, and binaries that are swapped under containers with published ports. */
import { Outside } from "../outside.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { all, ChainNode, type Member, MIXES, type Sides } from "./chain-node.ts";
import { type Backend, KEPT_BY_REFERENCE } from "./network.ts";
import type { Who } from "./node.ts";

const BACKENDS = ["iptables", "nftables"] as const satisfies readonly Backend[];

/** Of the reference's chains and tables what all containers share: nothing that names an address. */
const KEPT_SHARED: readonly RegExp[] = [
  ...KEPT_BY_REFERENCE,
  /^ip6?tables-nft (nat|filter) :CNI-(HOSTPORT-(DNAT|MASQ|SETMARK)|FORWARD|ADMIN|ISOLATION-STAGE-[12])/,
  /^ip6?tables-nft (nat|filter) -A (FORWARD|PREROUTING|OUTPUT|POSTROUTING|CNI-(FORWARD|ISOLATION-STAGE-[12]|HOSTPORT-(MASQ|SETMARK))) (?!.*(10\.71\.|fd00:71:))/,
  // The same, as nft has them.
  /^nft \{"(chain|rule)":\{"family":"ip6?","table":"(nat|filter)"(?!.*(10\.71\.|fd00:71:))/,
  /^nft \{"(table|chain)":\{"family":"ip6?","(name|table)":"cni_hostport"/,
  /^nft \{"rule":\{"family":"ip6?","table":"cni_hostport","chain":"(output|prerouting|hostports_all)"/,
  /^file \/run\/cni\/(tuning\/)? /,
];

/**
 * After the reference's DEL of what ours has added: it does not know the rule for published connections. DEL by ours takes
 * it, which a container's second DEL is.
 */
async function judgeGone(node: ChainNode, member: Member, addedBy: Sides, deletedBy: Sides): Promise<void> {
  const { judge } = node.scene;
  const left = await node.rulesOf([member]);
  if (addedBy.firewall !== "ours" || deletedBy.firewall !== "reference") {
    judge.same(`rules of ${member.id} after DEL`, left, []);
    return;
  }
  const published = left.filter((line) =>
    /^-A CNI-FORWARD -d \S+ -m conntrack --ctstate DNAT -j ACCEPT$/.test(line),
  );
  judge.explained(
    "F32",
    "its DEL does not know the rule for published connections",
    published.length === 2 && left.length === 2,
    left,
  );
  await node.del(all("ours"), member);
  judge.same(`rules of ${member.id} after DEL by ours`, await node.rulesOf([member]), []);
}

/** Two containers by this mix, looked at by all, deleted by the mix. */
async function mixed(node: ChainNode, sides: Sides): Promise<void> {
  const [c1, c2] = [await node.add(sides, "c1"), await node.add(sides, "c2")];
  await node.judgePorts("two containers");
  await node.judgeOperator("two containers");
  for (const looking of [sides, all("ours"), all("reference")]) await node.check(looking, c1);
  await node.del(sides, c1);
  await judgeGone(node, c1, sides, sides);
  await node.judgePorts("c1 deleted");
  await node.check(sides, c2);
  await node.del(sides, c2);
  await judgeGone(node, c2, sides, sides);
}

/** `old` is in place at first; `fresh` takes over under the containers, and `old` comes back for a while. */
async function swapped(node: ChainNode, old: Sides, fresh: Sides): Promise<void> {
  const [c1, c2, c3] = [await node.add(old, "c1"), await node.add(old, "c2"), await node.add(old, "c3")];
  for (const member of [c1, c2]) await node.check(fresh, member);
  const c4 = await node.add(fresh, "c4");
  await node.check(old, c4);
  await node.judgePorts("three by the old, one by the fresh");
  await node.del(fresh, c1);
  await judgeGone(node, c1, old, fresh);
  await node.del(old, c4);
  await judgeGone(node, c4, fresh, old);
  await node.judgePorts("one of each deleted by the other");
  for (const looking of [old, fresh]) for (const member of [c2, c3]) await node.check(looking, member);
  await node.del(old, c2);
  await judgeGone(node, c2, old, old);
  await node.del(fresh, c3);
  await judgeGone(node, c3, old, fresh);
}

const chainCase = (
  name: string,
  backend: Backend,
  body: (node: ChainNode) => Promise<void>,
): ScratchCase => ({
  name: `chain: ${name}, ${backend}`,
  keeps: KEPT_SHARED,
  run: async (scene) => {
    const outside = await Outside.open(scene.host);
    const node = new ChainNode(scene, outside, backend);
    try {
      await body(node);
    } finally {
      await node.close();
      await outside.close();
    }
  },
});

const SIDES: readonly (readonly [Who, Who])[] = [
  ["reference", "ours"],
  ["ours", "reference"],
];

export const CHAIN_CASES: readonly ScratchCase[] = [
  ...MIXES.map(([name, sides], index) =>
    chainCase(name, BACKENDS[(index + (index >> 1)) % 2 === 0 ? 0 : 1], (node) => mixed(node, sides)),
  ),
  ...BACKENDS.flatMap((backend) =>
    SIDES.map(([old, fresh]) =>
      chainCase(`added by ${old}, then ${fresh}`, backend, (node) => swapped(node, all(old), all(fresh))),
    ),
  ),
];
