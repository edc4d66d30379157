/** ADD that fails, DEL in hard cases, and what a crash leaves. */
import { existsSync } from "node:fs";
import type { Bench } from "../../engine/bench.ts";
import { NOTES } from "../../engine/network.ts";
import { linkNamed, links, masqueraded } from "../../kernel-facts.ts";
import { add, crash, type Difference, endOf, ipam, network, whether } from "../difference.ts";

const MASQUERADED = network({ isGateway: true, ipMasq: true, ipMasqBackend: "iptables" });

/** Rules of iptables that name the network. */
async function rulesOf({ host }: Bench): Promise<number> {
  return (await host.run("iptables-save")).split("\n").filter((line) => line.includes('"net')).length;
}

export const LIFECYCLE: readonly Difference[] = [
  {
    what: "a failed ADD",
    measure: async (bench) => {
      const { host } = bench;
      // The gateway's address cannot be set: that comes after the pair and the lease.
      await host.run("ip link add cni0 type bridge && ip addr add 10.9.9.1/24 dev cni0");
      const container = bench.host.container("c1");
      const config = network({ isGateway: true });
      const first = await bench.call("ADD", config);
      const left = (await linkNamed(container, "eth0")) !== undefined;
      await host.run("ip addr del 10.9.9.1/24 dev cni0");
      return {
        ADD: whether(first),
        "interface left": left,
        "leases left": bench.leases().length,
        "the next ADD": whether(await bench.call("ADD", config)),
      };
    },
    shows: {
      ADD: ["fails", "fails"],
      "interface left": [true, false],
      "leases left": [0, 0],
      "the next ADD": ["fails", "succeeds"],
    },
  },
  {
    what: "DEL when the namespace is gone",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      await add(bench, MASQUERADED);
      const before = await rulesOf(bench);
      await crash(bench, container);
      const end = whether(await bench.call("DEL", MASQUERADED, { env: { CNI_NETNS: "" } }));
      return { "rules before": before, DEL: end, "rules left": await rulesOf(bench) };
    },
    shows: { "rules before": [3, 3], DEL: ["succeeds", "succeeds"], "rules left": [3, 0] },
  },
  {
    what: "DEL when one step fails",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      await add(bench, MASQUERADED);
      // The lease can't be released: its lock is no file.
      await bench.host.run("cd /var/lib/cni/networks/net && rm lock && mkdir lock");
      const outcome = await bench.call("DEL", MASQUERADED);
      return {
        DEL: whether(outcome),
        "interface left": (await linkNamed(container, "eth0")) !== undefined,
        "rules left": await rulesOf(bench),
      };
    },
    shows: { DEL: ["fails", "fails"], "interface left": [false, false], "rules left": [3, 0] },
  },
  {
    what: "DEL of one of two interfaces of a container",
    measure: async (bench) => {
      await add(bench, MASQUERADED);
      await add(bench, MASQUERADED, { ifname: "eth1" });
      const before = await masqueraded(bench.host);
      const end = whether(await bench.call("DEL", MASQUERADED));
      const after = await masqueraded(bench.host);
      return {
        "masqueraded before": before.map(({ source }) => source),
        DEL: end,
        after: after.map(({ source }) => source),
      };
    },
    shows: {
      "masqueraded before": [
        ["10.1.0.2", "10.1.0.3"],
        ["10.1.0.2", "10.1.0.3"],
      ],
      DEL: ["fails", "succeeds"],
      after: [[], ["10.1.0.3"]],
    },
  },
  {
    what: "after a crash",
    measure: async (bench) => {
      const config = network({ ipam: ipam(["10.1.0.0/30"]) });
      const container = bench.host.container("c1");
      await add(bench, config);
      await crash(bench, container);
      const outcome = await bench.call("ADD", config, { container: "c2" });
      return { "addresses in the range": 1, "ADD of another": endOf(outcome).replace(/: .*?: no/, ": no") };
    },
    shows: {
      "addresses in the range": [1, 1],
      "ADD of another": ["fails: no IP addresses available in range set: 10.1.0.1-10.1.0.2", "succeeds"],
    },
  },
  {
    what: "the same container again after a crash",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      const before = await add(bench, network());
      await crash(bench, container);
      await bench.container("c1");
      const outcome = await bench.call("ADD", network());
      const after = outcome.exitCode === 0 ? outcome.json<typeof before>() : undefined;
      return {
        "before the crash": before.ips?.[0]?.address ?? "",
        ADD: /duplicate allocation/.test(outcome.stdout) ? "fails: duplicate allocation" : whether(outcome),
        after: after?.ips?.[0]?.address ?? "none",
      };
    },
    shows: {
      "before the crash": ["10.1.0.2/24", "10.1.0.2/24"],
      ADD: ["fails: duplicate allocation", "succeeds"],
      after: ["none", "10.1.0.2/24"],
    },
  },
  {
    what: "a wrong namespace path",
    measure: async (bench) => {
      const outcome = await bench.call("ADD", network(), { env: { CNI_NETNS: "/var/run/netns/nowhere" } });
      return { ADD: whether(outcome), "bridge left": (await linkNamed(bench.host, "cni0")) !== undefined };
    },
    shows: { ADD: ["fails", "fails"], "bridge left": [true, false] },
  },
  {
    what: "own namespace as CNI_NETNS",
    measure: async (bench) => {
      const outcome = await bench.call("ADD", network(), { env: { CNI_NETNS: "/proc/self/ns/net" } });
      const names = (await links(bench.host)).map(({ name }) => name.replace(/^veth\w+/, "veth…")).sort();
      return { ADD: whether(outcome), links: names };
    },
    shows: { ADD: ["fails", "fails"], links: [["cni0", "eth0", "lo", "veth…"], ["lo"]] },
  },
  {
    what: "DEL with a namespace path that is a plain file",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      await add(bench, network());
      await container.run("ip link del eth0");
      await bench.host.run("umount /run/netns/c1");
      const end = whether(await bench.call("DEL", network()));
      return { DEL: end, "leases left": bench.leases().length };
    },
    shows: { DEL: ["fails", "succeeds"], "leases left": [1, 0] },
  },
  {
    what: "DEL without a namespace while the interface lives",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      await add(bench, network());
      const end = whether(await bench.call("DEL", network(), { env: { CNI_NETNS: "" } }));
      const link = await linkNamed(container, "eth0");
      return {
        DEL: end,
        "leases left": bench.leases().length,
        "addresses in the container": link?.addresses ?? [],
      };
    },
    shows: {
      DEL: ["succeeds", "succeeds"],
      "leases left": [0, 0],
      "addresses in the container": [["10.1.0.2/24"], []],
    },
  },
  {
    what: "DEL, and an interface of another kind has the container's name",
    measure: async (bench) => {
      const container = bench.host.container("c1");
      await container.run("ip link add eth0 type bridge");
      const end = whether(await bench.call("DEL", network()));
      return { DEL: end, "interface left": (await linkNamed(container, "eth0")) !== undefined };
    },
    shows: { DEL: ["succeeds", "succeeds"], "interface left": [false, true] },
  },
  {
    what: "after the last DEL",
    measure: async (bench) => {
      const config = network({ isGateway: true, ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true });
      await add(bench, config);
      await bench.call("DEL", config);
      const tables = (await bench.host.run("nft list tables")).trim().split("\n");
      return { tables: tables.filter((line) => line !== "") };
    },
    shows: { tables: [["table bridge nat", "table inet cni_plugins_masquerade", "table ip nat"], []] },
  },
  {
    what: "DEL of what was never added",
    measure: async (bench) => {
      const end = whether(await bench.call("DEL", network()));
      return { DEL: end, "folder made": existsSync("/var/lib/cni/networks/net") };
    },
    shows: { DEL: ["succeeds", "succeeds"], "folder made": [true, false] },
  },
  {
    what: "an IPAM plugin that never ends",
    slow: true,
    measure: async (bench) => {
      bench.program(`${NOTES}/endless`, '#!/bin/sh\n[ "$CNI_COMMAND" != ADD ] || exec sleep 1000\n');
      const config = network({ ipam: { type: "endless" } });
      const { exitCode, stdout } = await bench.call("ADD", config, {
        env: { CNI_PATH: NOTES },
        limit: 60_000,
      });
      return { "answers within 60 s": exitCode === 1, "names it": stdout.includes("endless") };
    },
    shows: { "answers within 60 s": [false, true], "names it": [false, true] },
  },
  {
    what: "several subnets of one family, with iptables",
    measure: async (bench) => {
      await add(bench, { ...MASQUERADED, isGateway: false, ipam: ipam(["10.1.0.0/24", "10.2.0.0/24"]) });
      const rules = (await bench.host.run("iptables-save -t nat")).match(/^-A CNI-.* -j [A-Z]+$/gm) ?? [];
      return { "targets in order": rules.map((rule) => rule.replace(/.* /, "")) };
    },
    shows: {
      "targets in order": [
        ["ACCEPT", "MASQUERADE", "ACCEPT"],
        ["ACCEPT", "ACCEPT", "MASQUERADE"],
      ],
    },
  },
  {
    what: "attachments whose names are equal when joined (`net1` with `0abc`, `net10` with `abc`)",
    measure: async (bench) => {
      const [one, other] = ["net1", "net10"].map((name, index) => ({
        ...MASQUERADED,
        name,
        bridge: `br${index}`,
        ipam: ipam([`10.${index + 1}.0.0/24`]),
      }));
      if (one === undefined || other === undefined) throw new Error("two networks");
      await bench.container("0abc");
      await bench.container("abc");
      await add(bench, one, { container: "0abc", id: "0abc" });
      await add(bench, other, { container: "abc", id: "abc" });
      const sources = async () => (await masqueraded(bench.host)).map(({ source }) => source);
      const before = await sources();
      await bench.call("DEL", one, { container: "0abc", id: "0abc" });
      return { "masqueraded before": before, "after DEL of the first": await sources() };
    },
    shows: {
      "masqueraded before": [
        ["10.1.0.2", "10.2.0.2"],
        ["10.1.0.2", "10.2.0.2"],
      ],
      "after DEL of the first": [[], ["10.2.0.2"]],
    },
  },
  {
    what: "`macspoofchk` and a container id of 300 characters",
    measure: async (bench) => {
      const config = network({ macspoofchk: true });
      const options = { id: "a".repeat(300) };
      const added = whether(await bench.call("ADD", config, options));
      return { ADD: added, DEL: whether(await bench.call("DEL", config, options)) };
    },
    shows: { ADD: ["fails", "succeeds"], DEL: ["succeeds", "succeeds"] },
  },
];
