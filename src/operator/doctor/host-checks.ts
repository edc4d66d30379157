/** What doctor looks at on the host itself. Everything is only read. */
import { pause } from "#engine";
import { FAMILIES, type Family } from "../../net/ip.ts";
import { type LegacyTable, NO_TABLE } from "../../netfilter/iptables/legacy-entries.ts";
import { readTable } from "../../netfilter/iptables/legacy-table.ts";
import { hasLegacyTable, NO_NFTABLES, openNftables, type TableOfIptables } from "../../netfilter/kernel.ts";
import { missingGuard } from "../../netfilter/portmap/guard.ts";
import { routesLocalnet } from "../../netfilter/portmap/guard-lock.ts";
import { decodeChain, describeChain, dumpChains, hookNumber } from "../../netlink/nftables/chain.ts";
import { get } from "../../schema/parse.ts";
import { unlessFailed } from "../../sys/errno.ts";
import { readText, status } from "../../sys/file.ts";
import { describeHolder, holders } from "../../sys/lock-holder.ts";
import { sysctlIfThere } from "../../sys/sysctl.ts";
import type { HostState } from "../attachments.ts";
import { bridgeNameOf, type Network, typeOf } from "../networks.ts";
import { bridgedPacketsPass, missingFeatures, unfilteredBridges } from "./bridge-checks.ts";
import type { Diagnosis, Found } from "./diagnosis.ts";

/** What the checks look at. */
export interface Subject extends HostState {
  readonly pluginPath: string;
}

/** The bridges of the networks that exist on this host. */
function liveBridges({ networks, links }: HostState): Map<string, Network> {
  const bridges = new Map<string, Network>();
  for (const network of networks.networks) {
    for (const plugin of network.plugins) {
      const name = bridgeNameOf(plugin);
      const isThere = links.some((link) => link.name === name && link.kind === "bridge");
      if (name !== undefined && isThere && !bridges.has(name)) bridges.set(name, network);
    }
  }
  return bridges;
}

/** Makes all checks of the host. */
export async function checkHost(diagnosis: Diagnosis, subject: Subject): Promise<void> {
  await diagnosis.check("kernel", "host", "what the networks need is there", () => missingFeatures(subject));
  await diagnosis.check("forwarding", "host", "on where networks need it", () => forwarding(subject));
  await diagnosis.check("iptables", "host", "one variant has rules", variants);
  await diagnosis.check("forward policy", "host", "nothing drops what no rule accepts", () =>
    droppingChains(subject),
  );
  await diagnosis.check("br_netfilter", "host", "bridged packets pass the rules of Kubernetes", () =>
    unfilteredBridges(subject),
  );
  for (const [bridge] of liveBridges(subject)) {
    await diagnosis.check("rp_filter", bridge, "not strict", () => strictFilter(bridge));
    await diagnosis.check("route_localnet", bridge, "off, or guarded", () => openLoopback(bridge));
  }
  await diagnosis.check("conntrack", "host", "the table has room", fullTable);
  await diagnosis.check("locks", "host", "no lock is held for long", () => heldLocks(subject));
}

/** Forwarding matters as soon as a bridge with a gateway has a port. */
function forwarding(subject: Subject): Found[] {
  const settings = [
    [4, ["net", "ipv4", "ip_forward"]],
    [6, ["net", "ipv6", "conf", "all", "forwarding"]],
  ] as const;
  return settings.flatMap(([family, parts]) => {
    if (sysctlIfThere(...parts) !== "0") return [];
    const name = parts.join(".");
    const using = [...liveBridges(subject)].find(([bridge, network]) => {
      const index = subject.links.find((link) => link.name === bridge)?.index;
      return isGateway(network, family) && subject.links.some(({ master }) => master === index);
    });
    if (using === undefined) return [];
    const message = `${name} is 0, so containers on bridge ${using[0]} reach no other network`;
    return [{ code: "BH202", object: using[1].name, message, remedy: `sysctl -w ${name}=1` }];
  });
}

/** Whether a network routes a family: its configuration has an address of it. */
const isGateway = ({ plugins }: Network, family: Family): boolean =>
  plugins.some((plugin) => {
    if (typeOf(plugin) !== "bridge") return false;
    if (get(plugin, "isGateway") !== true && get(plugin, "isDefaultGateway") !== true) return false;
    const subnets = JSON.stringify(get(plugin, "ipam") ?? {}).matchAll(/"(?:subnet|address)":"([^"]*)"/g);
    return [...subnets].some(([, subnet = ""]) => subnet.includes(":") === (family === 6));
  });

/** Rules of one table in both variants. Each tool shows only its own, and a packet must pass both. */
function variants(): Found[] {
  using netfilter = openNftables();
  if (netfilter === undefined) return [];
  return FAMILIES.flatMap((family) => {
    const ip = family === 4 ? "ip" : "ip6";
    const chains = netfilter.dump(dumpChains(ip), (message) => decodeChain(message));
    return TABLES.flatMap((table) => {
      if (!chains.some((chain) => chain.table === table && (chain.use ?? 0) > 0)) return [];
      if (![...legacyTable(family, table).chains.values()].some((rules) => rules.length > 0)) return [];
      const program = `${ip}tables`;
      const message = `table ${table} has rules of ${program}-legacy and of ${program}-nft`;
      return [
        {
          code: "BH204",
          object: `${ip} ${table}`,
          message,
          remedy: `${program}-legacy-save, then flush one of them`,
        },
      ];
    });
  });
}

const TABLES = ["filter", "nat"] as const;

/** Reading a table that was never used would create it. */
const legacyTable = (family: Family, table: TableOfIptables): LegacyTable =>
  hasLegacyTable(family, table) ? readTable(family, table) : NO_TABLE;

/** Chains that drop forwarded packets by their policy, where a network has no plugin that accepts its traffic. */
function droppingChains({ networks }: Subject): Found[] {
  const open = networks.networks.filter(
    ({ plugins }) =>
      plugins.some((plugin) => typeOf(plugin) === "bridge") &&
      !plugins.some((plugin) => typeOf(plugin) === "firewall"),
  );
  const [first] = open;
  if (first === undefined) return [];
  using netfilter = openNftables();
  const chains = (["ip", "ip6", "inet"] as const).flatMap(
    (family) =>
      netfilter?.dump(dumpChains(family), (message) => {
        const chain = decodeChain(message);
        const isDropping = chain.base?.hook === hookNumber.forward && chain.base.policy === 0;
        return isDropping ? describeChain(chain) : undefined;
      }) ?? [],
  );
  for (const family of FAMILIES)
    if (legacyTable(family, "filter").dropping.has("FORWARD"))
      chains.push(`chain FORWARD of ${family === 4 ? "iptables" : "ip6tables"}-legacy`);
  const names = open.map(({ name }) => name).join(", ");
  const also = bridgedPacketsPass() ? ", also between containers of one bridge (br_netfilter)" : "";
  return chains.map((chain) => ({
    code: "BH205",
    object: first.name,
    message: `${chain} drops what no rule accepts, and no plugin firewall accepts the traffic of ${names}${also}`,
    remedy: 'add {"type": "firewall"} to the list of plugins',
  }));
}

function strictFilter(bridge: string): Found[] {
  const values = ["all", bridge].map((name) =>
    Number(sysctlIfThere("net", "ipv4", "conf", name, "rp_filter") ?? 0),
  );
  const [all = 0, own = 0] = values;
  if (all !== 1 && own !== 1) return [];
  // The larger value counts.
  if (all === 2 || own === 2) return [];
  const message = `rp_filter is strict on ${bridge}: packets whose answer takes another way are dropped`;
  return [
    {
      code: "BH207",
      object: bridge,
      message,
      remedy: `sysctl -w net.ipv4.conf.${bridge.replaceAll(".", "/")}.rp_filter=2`,
    },
  ];
}

function openLoopback(bridge: string): Found[] {
  if (!routesLocalnet(bridge)) return [];
  using netfilter = openNftables();
  const missing = netfilter === undefined ? [NO_NFTABLES] : missingGuard(netfilter, bridge);
  const [why] = missing;
  if (why === undefined) return [];
  const message = `containers on ${bridge} reach services on the host's 127.0.0.1: route_localnet is on, and ${why}`;
  return [
    {
      code: "BH208",
      object: bridge,
      message,
      remedy: `sysctl -w net.ipv4.conf.${bridge.replaceAll(".", "/")}.route_localnet=0, which ends 127.0.0.1:PORT for networks of the Go plugins`,
    },
  ];
}

/** Part of the table that must be free. */
const ROOM = 0.1;

function fullTable(): Found[] | undefined {
  const [count, most] = ["nf_conntrack_count", "nf_conntrack_max"].map((name) =>
    sysctlIfThere("net", "netfilter", name),
  );
  if (count === undefined || most === undefined) return undefined;
  if (Number(count) < Number(most) * (1 - ROOM)) return [];
  const message = `${count} of ${most} entries of connections are used`;
  return [
    {
      code: "BH209",
      object: "nf_conntrack",
      message,
      remedy: `sysctl -w net.netfilter.nf_conntrack_max=${2 * Number(most)}`,
    },
  ];
}

/** Milliseconds for which a call may hold a lock, and between two looks. */
const LONG = 1000;
const LOOK_EVERY = 50;

function heldLocks({ folders }: Subject): Found[] {
  const paths = [...folders.map(({ path }) => `${path}/lock`), "/run/xtables.lock"];
  return paths.flatMap((path) => {
    const file = unlessFailed(() => status(path));
    if (file === undefined) return [];
    const holder = () => holders(readText("/proc/locks"), file.inode, file.device)[0];
    const first = holder();
    for (let waited = 0; waited < LONG; waited += LOOK_EVERY) {
      if (first === undefined || holder() !== first) return [];
      pause(LOOK_EVERY);
    }
    const message = `${describeHolder(path)} holds the lock ${path} for more than ${LONG / 1000} s`;
    return [{ code: "BH210", object: path, message, remedy: `fuser -v ${path}` }];
  });
}
