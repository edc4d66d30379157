/** The plugins that stand in a chain behind bridge, and how to see that each has done its work: bandwidth and sbr are the reference's. */
import type { JsonRecord } from "../engine/network.ts";
import { hostVeths } from "../kernel-facts.ts";
import { Outside } from "../outside.ts";
import { ask, withTcpServer } from "../tcp.ts";
import type { Life, Wanted } from "./life.ts";
import { FIRST, GATEWAY, type Version } from "./networks.ts";

export interface Neighbour {
  readonly plugin: JsonRecord;
  /** Since when its versions begin; 0.3.0 if left out, where results tell interfaces. */
  readonly since?: Version;
  readonly capabilities?: JsonRecord;
  /** What it changes of what the bridge plugin made. */
  readonly changes?: Partial<Wanted>;
  /** What it leaves after its DEL, by design of its own. */
  readonly keeps?: readonly RegExp[];
  /** While the container is attached, with both families. */
  readonly works: (life: Life, outside: Outside) => Promise<void>;
  readonly gone?: (life: Life) => Promise<void>;
}

const MAC = "02:61:00:00:00:55";

const tuning: Neighbour = {
  plugin: {
    type: "tuning",
    mac: MAC,
    mtu: 1400,
    allmulti: true,
    sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" },
  },
  changes: { mac: MAC, mtu: 1400 },
  keeps: [/^file \/run\/cni\/(tuning\/)? /],
  works: async ({ container, scene: { judge } }) => {
    judge.same("sysctl", (await container.run("sysctl -n net.ipv4.conf.eth0.arp_filter")).trim(), "1");
    const [link] = await container.json<{ flags: string[] }[]>("ip -j link show eth0");
    judge.holds("all multicast", link?.flags.includes("ALLMULTI") === true, link?.flags);
  },
};

const PORT = 8061;
const PORT_MAPPINGS = { portMappings: [{ hostPort: PORT, containerPort: 80, protocol: "tcp" }] };

/** The machine outside connects to the host's port, and the container answers, in both families. */
async function portIsPublished({ container, scene: { judge } }: Life, outside: Outside): Promise<void> {
  await withTcpServer(container, 80, async () => {
    const replies = await Promise.all(
      [Outside.HOST[4], Outside.HOST[6]].map((host) => ask(outside.namespace, host, PORT)),
    );
    judge.same("what is told to who asks at the host's port", replies, [
      Outside.ADDRESS[4],
      Outside.ADDRESS[6],
    ]);
  });
}

/** No rule of portmap names the container's addresses any more. */
async function portIsFree({ scene: { judge, host } }: Life): Promise<void> {
  const rules = await host.run("nft list ruleset; iptables-save; ip6tables-save");
  const naming = rules.split("\n").filter((line) => line.includes(FIRST[4]) || line.includes(FIRST[6]));
  judge.same("rules that name the container", naming, []);
}

const portmap = (keys: JsonRecord): Neighbour => ({
  plugin: { type: "portmap", capabilities: { portMappings: true }, ...keys },
  capabilities: PORT_MAPPINGS,
  works: portIsPublished,
  gone: portIsFree,
});

const firewall = (keys: JsonRecord = {}): Neighbour => ({
  plugin: { type: "firewall", backend: "iptables", ...keys },
  since: "0.4.0",
  works: async (life) => {
    const { host } = life.scene;
    for (const family of ["iptables", "ip6tables"]) await host.run(`${family} -P FORWARD DROP`);
    try {
      // What passes now does so by the rules for the container's addresses.
      await life.reaches();
    } finally {
      for (const family of ["iptables", "ip6tables"]) await host.run(`${family} -P FORWARD ACCEPT`);
    }
    if (keys.ingressPolicy === undefined) return;
    // It takes the bridge from the first interface of the result.
    const isolation = await host.run("iptables-save -t filter");
    life.scene.judge.says("isolation", isolation, /^-A CNI-ISOLATION-STAGE-1 -i cni0 ! -o cni0 /m);
  },
  gone: portIsFree,
});

const RATE = 80_000_000;

const bandwidth: Neighbour = {
  plugin: { type: "bandwidth", ingressRate: RATE, ingressBurst: RATE, egressRate: RATE, egressBurst: RATE },
  changes: { added: ["bwp"] },
  works: async ({ scene: { judge, host } }) => {
    interface Discipline {
      readonly kind: string;
      readonly dev: string;
      readonly options: { readonly rate?: number };
    }
    const all = await host.json<Discipline[]>("tc -j qdisc show");
    const limited = all.flatMap(({ kind, dev, options }) => (kind === "tbf" ? [[dev, options.rate]] : []));
    const [port] = await hostVeths(host);
    const [ifb] = await host.json<{ ifname: string }[]>("ip -j link show type ifb");
    judge.same(
      "limits",
      limited.sort(),
      [
        [ifb?.ifname, RATE / 8],
        [port?.name, RATE / 8],
      ].sort(),
    );
  },
};

const sbr: Neighbour = {
  plugin: { type: "sbr" },
  changes: { movesRoutes: true },
  works: async ({ container, scene: { judge } }) => {
    const rules = await container.json<{ src: string; table: string }[]>("ip -j -4 rule");
    const own = rules.find(({ src }) => src === FIRST[4]);
    const ways = await container.json<{ dst: string; gateway?: string }[]>(
      `ip -j -4 route show table ${own?.table ?? "none"}`,
    );
    const gateway = ways.find(({ dst }) => dst === "default")?.gateway;
    judge.same("gateway of the container's own table", gateway, GATEWAY[4]);
  },
  gone: async ({ container, scene: { judge } }) => {
    const rules = await container.json<{ src: string }[]>("ip -j -4 rule");
    judge.same(
      "rules of the source",
      rules.filter(({ src }) => src !== "all"),
      [],
    );
  },
};

/** As k3s has it: nothing is set. */
const idleBandwidth: Neighbour = {
  plugin: { type: "bandwidth", capabilities: { bandwidth: true } },
  works: async ({ scene: { judge, host } }) => {
    judge.same("limits", await host.run("tc qdisc show | grep tbf || true"), "");
  },
};

export const NEIGHBOURS = {
  tuning,
  "portmap, iptables": portmap({ backend: "iptables" }),
  "portmap, nftables": portmap({ backend: "nftables" }),
  firewall: firewall(),
  "portmap, as of Nomad": portmap({ snat: true }),
  "firewall, as of Nomad": firewall({ iptablesAdminChainName: "NOMAD-ADMIN" }),
  "firewall, same-bridge": firewall({ ingressPolicy: "same-bridge" }),
  bandwidth,
  "bandwidth, as of k3s": idleBandwidth,
  sbr,
} as const;
