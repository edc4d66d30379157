/** The plugin tuning, for an interface that is in the container already. */
import { existsSync } from "node:fs";
import { withAllowlist } from "../../../test/support/private-etc.ts";
import type { Bench, CallOptions } from "../../engine/bench.ts";
import { deleteNamespace, inside, type JsonRecord, netnsPath, VALID } from "../../engine/network.ts";
import { type Difference, type Facts, whether } from "../difference.ts";

const MAC = "02:00:5e:10:00:0a";
const PLUGIN: CallOptions = { plugin: "tuning" };

const config = (keys: JsonRecord): JsonRecord => ({
  cniVersion: "1.1.0",
  name: "net",
  type: "tuning",
  prevResult: { cniVersion: "1.1.0", interfaces: [{ name: "eth0", mtu: 1500, sandbox: netnsPath("c1") }] },
  ...keys,
});

const call = (bench: Bench, command: string, keys: JsonRecord, options?: CallOptions) =>
  bench.call(command, config(keys), { ...PLUGIN, ...options });

const MAKE = inside(
  "c1",
  `ip link add eth0 address 02:00:5e:00:00:02 type veth peer name peer0
  ip link set peer0 up; ip link set eth0 up`,
);

const shown = async (bench: Bench): Promise<Facts> => {
  const link = (await bench.links("c1")).get("eth0");
  return { mac: link?.address ?? "none", mtu: link?.mtu ?? 0 };
};

const isSaved = (): boolean => existsSync("/run/cni/tuning/id-c1_eth0.json");

const FORMER = ["02:00:5e:00:00:02", "02:00:5e:00:00:02"] as const;

export const TUNING_ROWS: readonly Difference[] = [
  {
    what: "`tuning`: a failed ADD",
    measure: async (bench) => {
      await bench.run(MAKE);
      const sysctl = { "net.ipv4.conf.IFNAME.arp_filter": "1" };
      const added = await call(bench, "ADD", { mac: MAC, mtu: 70_000, sysctl });
      const filter = await bench.run(inside("c1", "cat /proc/sys/net/ipv4/conf/eth0/arp_filter"));
      return {
        ADD: whether(added),
        ...(await shown(bench)),
        arp_filter: filter.trim(),
        "settings saved": isSaved(),
      };
    },
    shows: {
      ADD: ["fails", "fails"],
      mac: [MAC, FORMER[1]],
      mtu: [1500, 1500],
      arp_filter: ["1", "0"],
      "settings saved": [true, false],
    },
  },
  {
    what: "`tuning`: ADD again, then DEL",
    measure: async (bench) => {
      await bench.run(MAKE);
      for (const mtu of [1400, 1300]) await call(bench, "ADD", { mtu });
      await call(bench, "DEL", {});
      return shown(bench);
    },
    shows: { mac: FORMER, mtu: [1400, 1500] },
  },
  {
    what: "`tuning`: DEL when the namespace is gone, GC",
    measure: async (bench) => {
      await bench.run(MAKE);
      await call(bench, "ADD", { mtu: 1400 });
      await call(bench, "DEL", {}, { env: { CNI_NETNS: "" } });
      const afterDel = isSaved();
      await call(bench, "ADD", { mtu: 1400 });
      const gone = { [VALID]: [{ containerID: "other", ifname: "eth0" }] };
      await call(bench, "GC", gone);
      return { "saved after DEL": afterDel, "saved after GC": isSaved() };
    },
    shows: { "saved after DEL": [true, false], "saved after GC": [true, false] },
  },
  {
    what: "`tuning`: DEL with the path of a new namespace",
    measure: async (bench) => {
      await bench.run(MAKE);
      await call(bench, "ADD", { mac: MAC, mtu: 1400 });
      const other = inside("c1", "ip link set eth0 address 02:00:5e:00:00:77 mtu 1300");
      await bench.run(`${deleteNamespace("c1")}; ip netns add c1; ${MAKE}; ${other}`);
      await call(bench, "DEL", {});
      return shown(bench);
    },
    shows: { mac: [FORMER[0], "02:00:5e:00:00:77"], mtu: [1500, 1300] },
  },
  {
    what: "`tuning`: CHECK",
    measure: async (bench) => {
      await bench.run(MAKE);
      const keys = { mac: MAC.toUpperCase(), sysctl: { "net.ipv4.ip_local_port_range": "2000 3000" } };
      await call(bench, "ADD", keys);
      const one = whether(await call(bench, "CHECK", { mac: keys.mac }));
      const two = whether(await call(bench, "CHECK", { sysctl: keys.sysctl }));
      await bench.run(inside("c1", "ip link set eth0 promisc on"));
      return {
        "MAC address in capitals": one,
        "a blank between values": two,
        "promiscuous mode of others": whether(await call(bench, "CHECK", {})),
      };
    },
    shows: {
      "MAC address in capitals": ["fails", "succeeds"],
      "a blank between values": ["fails", "succeeds"],
      "promiscuous mode of others": ["fails", "succeeds"],
    },
  },
  {
    what: "`tuning`: MAC address and mtu in the result",
    measure: async (bench) => {
      await bench.run(MAKE);
      const added = await call(bench, "ADD", { mac: MAC.toUpperCase(), mtu: 1400 });
      const [eth0] = added.json<{ interfaces: { mac: string; mtu: number }[] }>().interfaces;
      return { mac: eth0?.mac ?? "none", mtu: eth0?.mtu ?? 0 };
    },
    shows: { mac: [MAC.toUpperCase(), MAC], mtu: [1500, 1400] },
  },
  {
    what: "`tuning`: the allowlist of sysctls",
    measure: async (bench) => {
      await bench.run(MAKE);
      const add = async (key: string, ...lines: string[]) =>
        whether(await call(bench, "ADD", { sysctl: { [key]: "1" } }, { through: withAllowlist(lines) }));
      const list = String.raw`^net\.ipv4\.conf\.IFNAME\.arp_filter$`;
      const status = { sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" } };
      return {
        "a sysctl with slashes": await add("net/ipv4/conf/IFNAME/arp_filter", list),
        "STATUS, not allowed": whether(
          await call(bench, "STATUS", status, { through: withAllowlist(["x"]) }),
        ),
      };
    },
    shows: {
      "a sysctl with slashes": ["fails", "succeeds"],
      "STATUS, not allowed": ["succeeds", "fails"],
    },
  },
];
