/** What the kernel and the files say of a network, seen with ip, iptables-save, nft and ping: never with a plugin. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Outcome, outcomeOf } from "../test/support/command.ts";
import type { NamedNamespace, ScratchHost } from "../test/support/scratch-host.ts";

/** Something that commands run in: the host, or a namespace. */
export type Place = Pick<ScratchHost, "run" | "json">;

export interface LinkFacts {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly kind: string | undefined;
  /** Name of the bridge that it is a port of. */
  readonly master: string | undefined;
  /** Index of the other end of a pair. */
  readonly peerIndex: number | undefined;
  /** With prefix length, in the kernel's order; link-local ones left out. */
  readonly addresses: readonly string[];
}

interface Shown {
  readonly ifname: string;
  readonly ifindex: number;
  readonly address: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly link_index?: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info: readonly { local: string; prefixlen: number; scope: string }[];
}

export async function links(place: Place): Promise<LinkFacts[]> {
  const shown = await place.json<Partial<Shown>[]>("ip -j -d addr");
  return shown.flatMap((link) => {
    if (link.ifname === undefined) return [];
    const { ifname, ifindex, address, mtu, flags, master, link_index, linkinfo, addr_info } = link as Shown;
    const addresses = addr_info
      .filter(({ local }) => !local.startsWith("fe80::"))
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
    const up = flags.includes("UP");
    const kind = linkinfo?.info_kind;
    return {
      name: ifname,
      index: ifindex,
      mac: address,
      mtu,
      up,
      kind,
      master,
      peerIndex: link_index,
      addresses,
    };
  });
}

export const linkNamed = async (place: Place, name: string): Promise<LinkFacts | undefined> =>
  (await links(place)).find((link) => link.name === name);

/** The host's ends of pairs. */
export const hostVeths = async (host: Place): Promise<LinkFacts[]> =>
  (await links(host)).filter(({ name, kind }) => kind === "veth" && /^veth[0-9a-f]{8}$/.test(name));

/** Unicast routes of the main table but those that the kernel makes of addresses: "default via 10.1.0.1 dev eth0". */
export async function routes(place: Place): Promise<string[]> {
  interface Route {
    readonly dst: string;
    readonly gateway?: string;
    readonly dev: string;
    readonly protocol: string;
  }
  const all = await Promise.all(
    ["-4", "-6"].map((family) => place.json<Route[]>(`ip -j ${family} route show table main`)),
  );
  return all
    .flat()
    .filter(({ protocol }) => protocol !== "kernel")
    .map(({ dst, gateway, dev }) =>
      [dst, ...(gateway === undefined ? [] : ["via", gateway]), "dev", dev].join(" "),
    )
    .sort();
}

/** Whether an address answers to the echo request that `from` sends, from that source if one is given. */
export async function answers(from: NamedNamespace, address: string, source?: string): Promise<boolean> {
  const bound = source === undefined ? [] : ["-I", source];
  const ping = ["ping", "-n", "-q", "-c", "1", "-W", "30", ...bound, address];
  const { exitCode } = await outcomeOf(from.inside(ping));
  return exitCode === 0;
}

/** What each lease of a network holds: "<container id> <interface>" by address. Other files are under "other". */
export function leases(network: string): Record<string, string> {
  const folder = `/var/lib/cni/networks/${network}`;
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const own = names.filter((name) => name !== "lock" && !name.startsWith("last_reserved_ip."));
  return Object.fromEntries(
    own.map((name) => [name, readFileSync(`${folder}/${name}`, "utf8").replace("\r\n", " ")]),
  );
}

/** One source address whose traffic is masqueraded. */
interface Masqueraded {
  readonly backend: "iptables" | "nftables";
  readonly source: string;
}

/** All sources that masquerade rules name, in both backends, sorted. A chain without the rule does not count. */
export async function masqueraded(host: Place): Promise<Masqueraded[]> {
  const [four, six, ruleset] = await Promise.all([
    host.run("iptables-save -t nat"),
    host.run("ip6tables-save -t nat"),
    host.json<{ nftables: Entry[] }>("nft -j list ruleset"),
  ]);
  const found = [...[four, six].flatMap(byIptables), ...ruleset.nftables.flatMap(byNftables)];
  return found.sort((a, b) => (`${a.source} ${a.backend}` < `${b.source} ${b.backend}` ? -1 : 1));
}

function byIptables(saved: string): Masqueraded[] {
  const lines = saved.split("\n");
  return lines.flatMap((line) => {
    const [, source = "", chain = ""] =
      /^-A POSTROUTING -s (\S+)\/(?:32|128) .*-j (CNI-[0-9a-f]+)$/.exec(line) ?? [];
    const leads = lines.some(
      (rule) => rule.startsWith(`-A ${chain} ! -d `) && rule.endsWith("-j MASQUERADE"),
    );
    return source !== "" && leads ? [{ backend: "iptables" as const, source }] : [];
  });
}

interface Entry {
  readonly rule?: { readonly family: string; readonly table: string; readonly expr: readonly Expression[] };
}
interface Expression {
  readonly match?: {
    readonly left: { readonly payload?: { readonly field: string } };
    readonly right: string | { readonly set?: readonly string[] };
  };
  readonly masquerade?: null;
}

function byNftables({ rule }: Entry): Masqueraded[] {
  if (rule?.family !== "inet" || rule.table !== "cni_plugins_masquerade") return [];
  if (!rule.expr.some((expression) => "masquerade" in expression)) return [];
  const match = rule.expr.find((expression) => expression.match?.left.payload?.field === "saddr")?.match;
  const sources = typeof match?.right === "string" ? [match.right] : (match?.right.set ?? []);
  return sources.map((source) => ({ backend: "nftables" as const, source }));
}

/** Links, leases and masquerade of a host that no container is left on: each must be empty. */
export async function leftOf(host: Place, network: string): Promise<object> {
  const [veths, rules] = await Promise.all([hostVeths(host), masqueraded(host)]);
  return { veths: veths.map(({ name }) => name), rules, leases: leases(network) };
}

export const NOTHING_LEFT = { veths: [], rules: [], leases: {} };

export const describeOutcome = ({ exitCode, stdout, stderr }: Outcome): string =>
  `exit code ${exitCode}, stdout ${stdout.trim()}, stderr ${stderr.trim()}`;
