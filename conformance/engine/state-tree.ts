/** From what the tools print to a tree of facts: everything of a link stands below the link. */
import { type Aliases, linksOf } from "./aliases.ts";
import type { RawState, Sections } from "./host.ts";
import { type Fact, isTree, type Tree, treeOf } from "./tree.ts";

type Json = Record<string, unknown>;

/** Counters and timers, numbers that the kernel gives out, and what follows from a hardware address. */
const VOLATILE =
  /^(ifindex|link_index|link_netnsid|link|stats\d*|ifname|.*_timer|topology_change.*|(bridge|root|root_path|designated)_.*|config_pending)$/;

/** The state of all namespaces and files. */
export function stateTree(state: RawState, aliases: Aliases): Tree {
  const containers = Object.entries(state.containers).map(([name, sections]): [string, Fact | Tree] => [
    name,
    sections === undefined ? "gone" : namespaceTree(sections, aliases),
  ]);
  const files = Object.entries(state.files).map(([path, { content, ...file }]) => [
    path,
    treeOf({ ...file, content: content === undefined ? undefined : readable(content) }),
  ]);
  return {
    host: namespaceTree(state.host, aliases),
    container: Object.fromEntries(containers),
    file: Object.fromEntries(files),
  };
}

/** Text as it is. Of anything else only that it is there. */
const readable = (content: string): string => (/^[\r\n\t -~]*$/.test(content) ? content : "(binary)");

function namespaceTree(sections: Sections, aliases: Aliases): Tree {
  const links: Record<string, Tree> = {};
  for (const link of linksOf(sections.addr)) links[link.ifname] = linkTree(link as unknown as Json, aliases);
  const rest: Tree = {};
  const put = (name: unknown, kind: string, key: string, value: Fact | Tree): void => {
    const owner = links[String(name)] ?? rest;
    const branch = (owner[kind] ?? {}) as Tree;
    owner[kind] = branch;
    let free = key;
    for (let number = 2; Object.hasOwn(branch, free); number++) free = `${key} #${number}`;
    branch[free] = value;
  };
  for (const family of ["4", "6"]) {
    for (const route of routes(sections[`route${family}`], aliases))
      put(route.dev, "route", route.key, route.facts);
    for (const rule of parse(sections[`rule${family}`]))
      put("", "rule", `${family} ${JSON.stringify(rule)}`, true);
  }
  for (const { ifname, flags, mtu, master, ...port } of parse(sections.port)) {
    for (const [key, value] of facts(port)) put(ifname, "port", key, treeOf(value));
  }
  for (const { ifname, mac, state, ...entry } of parse(sections.fdb)) {
    if (state === "permanent" && !/^(33:33|01:00:5e)/.test(String(mac)))
      put(ifname, "fdb", aliases.text(`${mac} ${JSON.stringify(entry)}`), true);
  }
  for (const { dev, ...entry } of parse(sections.neigh))
    put(dev, "neighbour", aliases.text(JSON.stringify(entry)), true);
  for (const [name, key, value] of sysctls(sections.sysctl)) put(name, "sysctl", key, value);
  for (const link of Object.values(links)) withoutCarrier(link);
  const named = Object.entries(links).map(([name, tree]): [string, Tree] => [aliases.link(name), tree]);
  return {
    ...rest,
    link: Object.fromEntries(named),
    ...rulesetTree("nft", nftRules(sections.nft), aliases),
    ...rulesetTree("iptables", iptablesRules(sections.iptables), aliases),
    ...rulesetTree("ip6tables", iptablesRules(sections.ip6tables), aliases),
  };
}

/** What the kernel takes back up to a second after a carrier is lost is left out of a link without one. */
function withoutCarrier(link: Tree): void {
  if (isTree(link.flags) && link.flags.LOWER_UP === true) return;
  delete link["bridge port state"];
  if (isTree(link.port)) delete link.port.state;
  for (const kind of ["address_of", "route"]) {
    const branch = link[kind];
    if (!isTree(branch)) continue;
    for (const key of Object.keys(branch)) if (/\b(fe80:|ff00:)/.test(key)) delete branch[key];
    if (Object.keys(branch).length === 0 && kind === "route") delete link[kind];
  }
}

const parse = (text: string | undefined): Json[] => {
  if (text === undefined || text.trim() === "") return [];
  try {
    return (JSON.parse(text) as Json[]).filter((entry) => Object.keys(entry).length > 0);
  } catch {
    // `bridge vlan` breaks off in the middle where the kernel has no VLAN filtering.
    return [];
  }
};

const facts = (object: unknown): [string, unknown][] =>
  Object.entries((object ?? {}) as Json).filter(([key]) => !VOLATILE.test(key));

function linkTree(link: Json, aliases: Aliases): Tree {
  const { addr_info, linkinfo, flags, operstate, address, ...plain } = link;
  const { info_kind, info_data, info_slave_kind, info_slave_data } = (linkinfo ?? {}) as Json;
  const tree: Tree = Object.fromEntries(facts(plain).map(([key, value]) => [key, aliased(value, aliases)]));
  tree.address = aliases.text(String(address));
  // The kernel tells of a lost carrier up to a second later; LOWER_UP is there at once.
  const known = (flags as string[]).filter((flag) => flag !== "NO-CARRIER");
  tree.flags = Object.fromEntries(known.map((flag) => [flag, true]));
  if (info_kind !== "bridge" && known.includes("LOWER_UP")) tree.operstate = String(operstate);
  if (info_kind !== undefined) tree.kind = String(info_kind);
  for (const [key, value] of facts(info_data)) tree[`${info_kind} ${key}`] = aliased(value, aliases);
  for (const [key, value] of facts(info_slave_data))
    tree[`${info_slave_kind} port ${key}`] = aliased(value, aliases);
  const addresses = (addr_info as Json[]).map(({ local, prefixlen, ...entry }) => [
    aliases.text(`${local}/${prefixlen}`),
    Object.fromEntries(facts(entry).map(([key, value]) => [key, aliased(value, aliases)])),
  ]);
  tree.address_of = Object.fromEntries(addresses);
  return tree;
}

const aliased = (value: unknown, aliases: Aliases): Fact | Tree =>
  typeof value === "string" ? aliases.text(aliases.link(value)) : treeOf(value);

function routes(text: string | undefined, aliases: Aliases) {
  // The anycast address of a subnet follows from an address and forwarding, which are compared. The kernel joins it twice
  // if the address comes to rest while forwarding is turned on, and then keeps it when the address goes.
  const own = parse(text).filter(({ type }) => type !== "anycast");
  const all = own.map(({ table, type, dst, metric, dev, flags, ...entry }) => {
    // Follows the carrier, up to a second later.
    const kept = (flags as string[]).filter((flag) => flag !== "linkdown");
    const facts: Json = { ...entry, flags: kept.join(" ") };
    const key = aliases.text(`${table} ${type} ${dst}${metric === undefined ? "" : ` metric ${metric}`}`);
    return { dev, key, text: aliases.text(JSON.stringify(facts)) };
  });
  const sorted = all.sort((a, b) => (a.text < b.text ? -1 : 1));
  return sorted.map(({ dev, key, text }) => ({ dev, key, facts: treeOf(JSON.parse(text)) }));
}

/** Link (or "" for the host's own), name, value. */
function sysctls(text: string | undefined): [string, string, string][] {
  return (text ?? "").split("\n").flatMap((line): [string, string, string][] => {
    const [, path = "", value = ""] = /^\/proc\/sys\/net\/(\S+?):(.*)$/.exec(line) ?? [];
    const [, family, link = "", name] = /^(ipv[46])\/conf\/(.+)\/(.+)$/.exec(path) ?? [];
    if (path === "") return [];
    if (family === undefined) return [["", path, value]];
    return link === "all" || link === "default" ? [["", path, value]] : [[link, `${family} ${name}`, value]];
  });
}

/** Chains and tables as they are; rules as a set, and their order where both sides have the same ones. */
interface Ruleset {
  readonly objects: readonly string[];
  /** By chain. */
  readonly rules: ReadonlyMap<string, readonly string[]>;
}

function rulesetTree(name: string, ruleset: Ruleset, aliases: Aliases): Tree {
  const tree: Tree = {};
  for (const object of ruleset.objects) tree[aliases.text(object)] = true;
  for (const [chain, rules] of ruleset.rules) {
    const texts = rules.map((rule) => aliases.text(rule));
    const branch: Tree = Object.fromEntries(
      texts.map((rule) => [rule, texts.filter((text) => text === rule).length]),
    );
    if (texts.length > 1) branch[ORDER] = texts.join("\n");
    tree[aliases.text(`rules of ${chain}`)] = branch;
  }
  return Object.keys(tree).length === 0 ? {} : { [name]: tree };
}

/** The fact that holds the order of a chain's rules. It says nothing where the rules themselves differ. */
export const ORDER = "order";

/** Tables that iptables keeps in nftables: iptables-save shows them. */
const OF_IPTABLES = new Set(["nat", "filter", "mangle", "raw", "security"]);

function nftRules(text: string | undefined): Ruleset {
  const objects: string[] = [];
  const rules = new Map<string, string[]>();
  const entries = text?.trim() ? (JSON.parse(text) as { nftables: Record<string, Json>[] }).nftables : [];
  for (const entry of entries) {
    const [kind = "", object = {}] = Object.entries(entry)[0] ?? [];
    const table = String(kind === "table" ? object.name : object.table);
    if (kind === "metainfo" || (/^ip6?$/.test(String(object.family)) && OF_IPTABLES.has(table))) continue;
    const shown = JSON.stringify(object, (key, value) => (COUNTING.has(key) ? undefined : value));
    if (kind !== "rule") objects.push(`${kind} ${shown}`);
    else {
      const chain = `${object.family} ${table} ${object.chain}`;
      rules.set(chain, [...(rules.get(chain) ?? []), shown]);
    }
  }
  return { objects, rules };
}

const COUNTING = new Set(["handle", "packets", "bytes"]);

function iptablesRules(text: string | undefined): Ruleset {
  const objects: string[] = [];
  const rules = new Map<string, string[]>();
  let table = "";
  for (const line of (text ?? "").split("\n")) {
    const [, chain = ""] = /^-A (\S+)/.exec(line) ?? [];
    if (line.startsWith("*")) table = line.slice(1);
    if (line.startsWith("*")) objects.push(`table ${table}`);
    if (line.startsWith(":")) objects.push(`${table} ${line.replace(/ \[.*/, "")}`);
    if (chain !== "") rules.set(`${table} ${chain}`, [...(rules.get(`${table} ${chain}`) ?? []), line]);
  }
  return { objects, rules };
}
