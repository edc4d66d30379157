/** ADD that fails, DEL in hard cases, and what a crash leaves. */
import { existsSync } from "node:fs";
import { linkNamed, links, masqueraded } from "../../kernel-facts.ts";
import type { Difference } from "../difference.ts";
import { endOf, ipam, leaseFiles, network, type Side, whether } from "../side.ts";

const MASQUERADED = network({ isGateway: true, ipMasq: true, ipMasqBackend: "iptables" });

/** Rules of iptables that name the network. */
async function rulesOf({ host }: Side): Promise<number> {
  return (await host.run("iptables-save")).split("\n").filter((line) => line.includes('"net')).length;
}

export const LIFECYCLE: readonly Difference[] = [
  {
    what: "a failed ADD",
    withGo: "leaves the interface; the next try fails",
    withOurs: "undoes each step in reverse order",
    why: "the runtime repeats an ADD that failed",
    measure: async (side) => {
      const { host } = side;
      // The gateway's address cannot be set: that comes after the pair and the lease.
      await host.run("ip link add cni0 type bridge && ip addr add 10.9.9.1/24 dev cni0");
      const container = await side.container("c1");
      const config = network({ isGateway: true });
      const first = await side.call("ADD", config);
      const left = (await linkNamed(container, "eth0")) !== undefined;
      await host.run("ip addr del 10.9.9.1/24 dev cni0");
      return {
        ADD: whether(first),
        "interface left": left,
        "leases left": leaseFiles().length,
        "the next ADD": whether(await side.call("ADD", config)),
      };
    },
    go: { ADD: "fails", "interface left": true, "leases left": 0, "the next ADD": "fails" },
    ours: { ADD: "fails", "interface left": false, "leases left": 0, "the next ADD": "succeeds" },
  },
  {
    what: "DEL when the namespace is gone",
    withGo: "leaves firewall rules for good",
    withOurs: "finds them by network, container and interface",
    why: "after a crash no other program cleans up",
    measure: async (side) => {
      const container = await side.container("c1");
      await side.add(MASQUERADED);
      const before = await rulesOf(side);
      await side.crash(container);
      const end = whether(await side.call("DEL", MASQUERADED, { netns: "" }));
      return { "rules before": before, DEL: end, "rules left": await rulesOf(side) };
    },
    go: { "rules before": 3, DEL: "succeeds", "rules left": 3 },
    ours: { "rules before": 3, DEL: "succeeds", "rules left": 0 },
  },
  {
    what: "DEL when one step fails",
    withGo: "stops there",
    withOurs: "goes on, and reports all errors",
    why: "one broken thing must not leak the others",
    measure: async (side) => {
      const container = await side.container("c1");
      await side.add(MASQUERADED);
      // The lease can't be released: its lock is no file.
      await side.host.run("cd /var/lib/cni/networks/net && rm lock && mkdir lock");
      const outcome = await side.call("DEL", MASQUERADED);
      return {
        DEL: whether(outcome),
        "interface left": (await linkNamed(container, "eth0")) !== undefined,
        "rules left": await rulesOf(side),
      };
    },
    go: { DEL: "fails", "interface left": false, "rules left": 3 },
    ours: { DEL: "fails", "interface left": false, "rules left": 0 },
  },
  {
    what: "DEL of one of two interfaces of a container",
    withGo: "fails, and the other one loses its masquerade",
    withOurs: "the other one keeps it",
    why: "with iptables they share a chain",
    measure: async (side) => {
      await side.container("c1");
      await side.add(MASQUERADED);
      await side.add(MASQUERADED, { ifname: "eth1" });
      const before = await masqueraded(side.host);
      const end = whether(await side.call("DEL", MASQUERADED));
      const after = await masqueraded(side.host);
      return {
        "masqueraded before": before.map(({ source }) => source),
        DEL: end,
        after: after.map(({ source }) => source),
      };
    },
    go: { "masqueraded before": ["10.1.0.2", "10.1.0.3"], DEL: "fails", after: [] },
    ours: { "masqueraded before": ["10.1.0.2", "10.1.0.3"], DEL: "succeeds", after: ["10.1.0.3"] },
  },
  {
    what: "after a crash",
    withGo: "leases of dead containers stay, until no address is left",
    withOurs: "leases that are proven dead come back when they are needed",
    why: "`no IP addresses available in range set`",
    measure: async (side) => {
      const config = network({ ipam: ipam(["10.1.0.0/30"]) });
      const container = await side.container("c1");
      await side.add(config);
      await side.crash(container);
      await side.container("c2");
      const outcome = await side.call("ADD", config, { id: "c2" });
      return { "addresses in the range": 1, "ADD of another": endOf(outcome).replace(/: .*?: no/, ": no") };
    },
    go: {
      "addresses in the range": 1,
      "ADD of another": "fails: no IP addresses available in range set: 10.1.0.1-10.1.0.2",
    },
    ours: { "addresses in the range": 1, "ADD of another": "succeeds" },
  },
  {
    what: "the same container again after a crash",
    withGo: "`duplicate allocation`",
    withOurs: "it gets its address back, if the old namespace is proven gone",
    why: "restart must work",
    measure: async (side) => {
      const container = await side.container("c1");
      const before = await side.add(network());
      await side.crash(container);
      await side.container("c1");
      const outcome = await side.call("ADD", network());
      const after = outcome.exitCode === 0 ? outcome.json<typeof before>() : undefined;
      return {
        "before the crash": before.ips?.[0]?.address ?? "",
        ADD: /duplicate allocation/.test(outcome.stdout) ? "fails: duplicate allocation" : whether(outcome),
        after: after?.ips?.[0]?.address ?? "none",
      };
    },
    go: { "before the crash": "10.1.0.2/24", ADD: "fails: duplicate allocation", after: "none" },
    ours: { "before the crash": "10.1.0.2/24", ADD: "succeeds", after: "10.1.0.2/24" },
  },
  {
    what: "a wrong namespace path",
    withGo: "a new bridge stays behind",
    withOurs: "is found first",
    why: "",
    measure: async (side) => {
      const outcome = await side.call("ADD", network(), { netns: "/var/run/netns/nowhere" });
      return { ADD: whether(outcome), "bridge left": (await linkNamed(side.host, "cni0")) !== undefined };
    },
    go: { ADD: "fails", "bridge left": true },
    ours: { ADD: "fails", "bridge left": false },
  },
  {
    what: "own namespace as CNI_NETNS",
    withGo: "is noticed after everything is done",
    withOurs: "is noticed first",
    why: "",
    measure: async (side) => {
      const outcome = await side.call("ADD", network(), { netns: "/proc/self/ns/net" });
      const names = (await links(side.host)).map(({ name }) => name.replace(/^veth\w+/, "veth…")).sort();
      return { ADD: whether(outcome), links: names };
    },
    go: { ADD: "fails", links: ["cni0", "eth0", "lo", "veth…"] },
    ours: { ADD: "fails", links: ["lo"] },
  },
  {
    what: "DEL with a namespace path that is a plain file",
    withGo: "fails each time, and the lease stays",
    withOurs: "takes the namespace for gone",
    why: "what is left of a mount after a reboot",
    measure: async (side) => {
      const container = await side.container("c1");
      await side.add(network());
      await container.run("ip link del eth0");
      await side.host.run("umount /run/netns/c1");
      const end = whether(await side.call("DEL", network()));
      return { DEL: end, "leases left": leaseFiles().length };
    },
    go: { DEL: "fails", "leases left": 1 },
    ours: { DEL: "succeeds", "leases left": 0 },
  },
  {
    what: "DEL without a namespace while the interface lives",
    withGo: "releases the address, the interface keeps it",
    withOurs: "removes the pair by its host end first",
    why: "two containers with one address",
    measure: async (side) => {
      const container = await side.container("c1");
      await side.add(network());
      const end = whether(await side.call("DEL", network(), { netns: "" }));
      const link = await linkNamed(container, "eth0");
      return {
        DEL: end,
        "leases left": leaseFiles().length,
        "addresses in the container": link?.addresses ?? [],
      };
    },
    go: { DEL: "succeeds", "leases left": 0, "addresses in the container": ["10.1.0.2/24"] },
    ours: { DEL: "succeeds", "leases left": 0, "addresses in the container": [] },
  },
  {
    what: "DEL, and an interface of another kind has the container's name",
    withGo: "deletes it",
    withOurs: "leaves it alone",
    why: "",
    measure: async (side) => {
      const container = await side.container("c1");
      await container.run("ip link add eth0 type bridge");
      const end = whether(await side.call("DEL", network()));
      return { DEL: end, "interface left": (await linkNamed(container, "eth0")) !== undefined };
    },
    go: { DEL: "succeeds", "interface left": false },
    ours: { DEL: "succeeds", "interface left": true },
  },
  {
    what: "after the last DEL",
    withGo: "tables and chains stay, empty",
    withOurs: "what is empty goes, if no one else uses it",
    why: "",
    measure: async (side) => {
      const config = network({ isGateway: true, ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true });
      await side.container("c1");
      await side.add(config);
      await side.call("DEL", config);
      const tables = (await side.host.run("nft list tables")).trim().split("\n");
      return { tables: tables.filter((line) => line !== "") };
    },
    go: { tables: ["table bridge nat", "table inet cni_plugins_masquerade", "table ip nat"] },
    ours: { tables: [] },
  },
  {
    what: "DEL of what was never added",
    withGo: "makes the network's folder of leases",
    withOurs: "makes nothing",
    why: "",
    measure: async (side) => {
      await side.container("c1");
      const end = whether(await side.call("DEL", network()));
      return { DEL: end, "folder made": existsSync("/var/lib/cni/networks/net") };
    },
    go: { DEL: "succeeds", "folder made": true },
    ours: { DEL: "succeeds", "folder made": false },
  },
  {
    what: "an IPAM plugin that never ends",
    withGo: "is waited for (60 seconds measured)",
    withOurs: "is stopped, and named",
    why: "",
    measure: async (side) => {
      const path = side.ipamPlugin("endless", '[ "$CNI_COMMAND" != ADD ] || exec sleep 1000');
      await side.container("c1");
      const config = network({ ipam: { type: "endless" } });
      const { exitCode, stdout } = await side.call("ADD", config, { path, timeout: 60_000 });
      return { "answers within 60 s": exitCode === 1, "names it": stdout.includes("endless") };
    },
    go: { "answers within 60 s": false, "names it": false },
    ours: { "answers within 60 s": true, "names it": true },
  },
  {
    what: "several subnets of one family, with iptables",
    withGo: "traffic to the second one is masqueraded",
    withOurs: "traffic to all of them is not",
    why: "",
    measure: async (side) => {
      await side.container("c1");
      await side.add({ ...MASQUERADED, isGateway: false, ipam: ipam(["10.1.0.0/24", "10.2.0.0/24"]) });
      const rules = (await side.host.run("iptables-save -t nat")).match(/^-A CNI-.* -j [A-Z]+$/gm) ?? [];
      return { "targets in order": rules.map((rule) => rule.replace(/.* /, "")) };
    },
    go: { "targets in order": ["ACCEPT", "MASQUERADE", "ACCEPT"] },
    ours: { "targets in order": ["ACCEPT", "ACCEPT", "MASQUERADE"] },
  },
  {
    what: "attachments whose names are equal when joined (`net1` with `0abc`, `net10` with `abc`)",
    withGo: "share a chain of iptables: DEL of one takes the masquerade of the other",
    withOurs: "each keeps its own",
    why: "",
    measure: async (side) => {
      const [one, other] = ["net1", "net10"].map((name, index) => ({
        ...MASQUERADED,
        name,
        bridge: `br${index}`,
        ipam: ipam([`10.${index + 1}.0.0/24`]),
      }));
      if (one === undefined || other === undefined) throw new Error("two networks");
      await side.container("0abc");
      await side.container("abc");
      await side.add(one, { id: "0abc" });
      await side.add(other, { id: "abc" });
      const sources = async () => (await masqueraded(side.host)).map(({ source }) => source);
      const before = await sources();
      await side.call("DEL", one, { id: "0abc" });
      return { "masqueraded before": before, "after DEL of the first": await sources() };
    },
    go: { "masqueraded before": ["10.1.0.2", "10.2.0.2"], "after DEL of the first": [] },
    ours: { "masqueraded before": ["10.1.0.2", "10.2.0.2"], "after DEL of the first": ["10.2.0.2"] },
  },
  {
    what: "`macspoofchk` and a container id of 300 characters",
    withGo: "ADD fails",
    withOurs: "works",
    why: "the name of a chain is shorter",
    measure: async (side) => {
      await side.container("c1");
      const config = network({ macspoofchk: true });
      const options = { id: "a".repeat(300), netns: "/var/run/netns/c1" };
      const added = whether(await side.call("ADD", config, options));
      return { ADD: added, DEL: whether(await side.call("DEL", config, options)) };
    },
    go: { ADD: "fails", DEL: "succeeds" },
    ours: { ADD: "succeeds", DEL: "succeeds" },
  },
];
