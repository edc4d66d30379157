/**
 * After a reboot: namespaces, links, rules and the files of /run are gone, the kernel has another boot id, and
 * /var/lib/cni is as it was. No DEL has come for anything.
 */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { eventually } from "../../test/support/eventually.ts";
import { leases, linkNamed, links } from "../kernel-facts.ts";
import { Outside } from "../outside.ts";
import type { Scene } from "../scratch-lanes.ts";
import { NETWORK, NETWORKS, type Network, network } from "./network.ts";
import { bare, type Container, type Node, nodeCase, type Who } from "./node.ts";
import { reaches } from "./swap.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** Under /var/lib, as /run is emptied. */
const OTHER_BOOT_ID = "/var/lib/boot_id";

class Machine {
  private readonly node: Node;
  private readonly scene: Scene;
  private boots = 0;

  constructor(node: Node) {
    this.node = node;
    this.scene = node.scene;
  }

  async reboot(): Promise<void> {
    const { host, judge } = this.scene;
    const before = await host.run(["cat", BOOT_ID]);
    await host.removeNamespaces();
    for (const { name } of await links(host))
      if (name !== "lo") await host.run(`ip link del ${name} 2>/dev/null || true`);
    await eventually("no links", async () => (await links(host)).length === 1);
    await host.run("nft flush ruleset; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
    for (const name of readdirSync("/run")) if (name !== "netns") rmSync(`/run/${name}`, { recursive: true });
    // The id is read anew by each process, through this mount in the lane's own namespace.
    if (this.boots > 0) await host.run(`umount ${BOOT_ID}`);
    writeFileSync(OTHER_BOOT_ID, `${crypto.randomUUID()}\n`);
    await host.run(`mount --bind ${OTHER_BOOT_ID} ${BOOT_ID}`);
    this.boots += 1;
    judge.holds("the boot id is another", before !== (await host.run(["cat", BOOT_ID])), before);
    for (const container of [...this.node.containers.values()]) this.node.forget(container);
  }

  async close(): Promise<void> {
    if (this.boots > 0) await this.scene.host.run(`umount ${BOOT_ID}`);
    rmSync(OTHER_BOOT_ID, { force: true });
  }
}

type Body = (node: Node, machine: Machine) => Promise<void>;

const rebootCase = (name: string, net: Network, body: Body) =>
  nodeCase(`reboot: ${name}`, net, async (node) => {
    const machine = new Machine(node);
    try {
      await body(node, machine);
    } finally {
      await machine.close();
    }
  });

/** The runtime comes up, deletes what it had, each by the other side, and starts new containers. */
const deletesAll =
  (withPath: boolean): Body =>
  async (node, machine) => {
    const { judge, host } = node.scene;
    const dead: [Container, Who][] = [];
    for (const [index, who] of (["reference", "ours", "reference", "ours"] as const).entries())
      dead.push([await node.add(who, `old${index}`), who]);
    await node.judgeAll("before the reboot");
    await machine.reboot();
    judge.same(
      "leases after the reboot",
      Object.keys(leases(NETWORK)).length,
      4 * node.network.gateways.length,
    );
    for (const [container, who] of dead) {
      const other = who === "ours" ? "reference" : "ours";
      await node.del(other, container, withPath ? {} : { netns: "" });
    }
    judge.same("leases after DEL", leases(NETWORK), {});
    const outside = await Outside.open(host);
    try {
      const fresh = [
        await node.add("ours", "new0"),
        await node.add("reference", "new1"),
        await node.add("ours", "new2"),
      ];
      await node.judgeAll("after the reboot");
      for (const container of fresh) {
        await node.check("ours", container);
        await node.check("reference", container);
        await reaches(node, container);
      }
      for (const container of fresh) await node.del("ours", container);
      await node.judgeAll("none left");
    } finally {
      await outside.close();
    }
  };

/** No DEL comes. Of a full range ours takes back what it can prove dead, and nothing of the reference's. */
const reclaims: Body = async (node, machine) => {
  const { judge } = node.scene;
  const dead = [
    await node.add("ours", "ours0"),
    await node.add("reference", "ref0"),
    await node.add("ours", "ours1"),
    await node.add("reference", "ref1"),
  ];
  const [ours0, ref0, ours1, ref1] = dead.map(({ result }) => bare(result.ips?.[0]?.address ?? ""));
  await machine.reboot();

  const late = await node.container("late");
  const byReference = await node.call("reference", "ADD", late);
  const full = /no IP addresses available in range set/;
  judge.explained(
    "L4",
    "leases of dead containers stay after a reboot",
    full.test(byReference.stdout),
    byReference.toString(),
  );

  const leftEnd = await linkNamed(late.namespace, "eth0");
  judge.explained("G7", "a failed ADD leaves its pair", leftEnd !== undefined, leftEnd);
  await node.del("reference", late);

  const taken = [await node.add("ours", "new0"), await node.add("ours", "new1")];
  const given = taken.map(({ result }) => bare(result.ips?.[0]?.address ?? ""));
  judge.same("addresses of ours from before the reboot", given.sort(), [ours0, ours1].sort());
  const third = await node.call("ours", "ADD", late);
  judge.says("a third ADD", third.stdout, full);
  judge.same(
    "leases of the reference",
    [leases(NETWORK)[ref0 ?? ""], leases(NETWORK)[ref1 ?? ""]],
    ["ref0 eth0", "ref1 eth0"],
  );

  for (const container of dead) if (container.id.startsWith("ref")) await node.del("ours", container);
  await node.addTo("ours", late);
  const last = await node.add("reference", "last");
  await node.judgeAll("after the reboot");
  for (const container of [...taken, late, last]) await node.del("ours", container);
  await node.judgeAll("none left");
};

/** A container starts again under its old id and name of its namespace. */
const sameId: Body = async (node, machine) => {
  const { judge } = node.scene;
  const duplicate = /has been allocated to .*, duplicate allocation is not allowed/;
  const before = [await node.add("ours", "a"), await node.add("reference", "b"), await node.add("ours", "c")];
  const addresses = before.map(({ result }) => result.ips?.map(({ address }) => address));
  await machine.reboot();

  const a = await node.add("ours", "a");
  judge.same(
    "address of a",
    a.result.ips?.map(({ address }) => address),
    addresses[0],
  );
  const b = await node.container("b");
  const refused = await node.call("ours", "ADD", b);
  judge.says("ADD of b, whose lease has no proof", refused.stdout, duplicate);
  judge.says("it names owner and file", refused.stdout, /b.*\/var\/lib\/cni\/networks\/netx/);
  const c = await node.container("c");
  const byReference = await node.call("reference", "ADD", c);
  judge.explained("L5", "ADD after a crash", duplicate.test(byReference.stdout), byReference.toString());
  // Its failed ADD leaves a pair (G7), which its DEL takes away.
  await node.del("reference", c);
  await node.del("ours", b);
  await node.addTo("reference", b);
  await node.addTo("ours", c);
  await node.judgeAll("all three again");
  for (const container of [a, b, c]) await node.del(container === b ? "ours" : "reference", container);
  await node.judgeAll("none left");
  judge.same("left in a", await linkNamed(a.namespace, "eth0"), undefined);
};

/** Three addresses besides the gateway's, and one more. */
const SMALL = (backend: "iptables" | "nftables") =>
  network({ backend, version: "1.0.0", rangeEnd: "10.71.0.5" });

export const REBOOT_CASES = [
  ...NETWORKS.map((net, index) =>
    rebootCase(
      `DEL of all, CNI_NETNS ${index % 2 === 0 ? "gone" : "empty"}, ${net.name}`,
      net,
      deletesAll(index % 2 === 0),
    ),
  ),
  rebootCase("no DEL, the range is full", SMALL("nftables"), reclaims),
  ...NETWORKS.map((net) => rebootCase(`same ids again, ${net.name}`, net, sameId)),
];
