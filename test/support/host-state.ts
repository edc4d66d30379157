/**
 * All that a plugin can change on a host, as lines of text that can be compared: links, bridge ports, addresses,
 * routes, rules, neighbours, firewall rules of each kind, sysctls, and the files of CNI programs.
 */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf, outputOf } from "./command.ts";
import { hostLock } from "./leftovers.ts";

/** One line for each thing, in the order of the tool that lists it. */
export type HostState = readonly string[];

type Json = Record<string, unknown>;

/** The state of the network that this process is in, and of the files that it sees. */
export async function hostState(): Promise<HostState> {
  const sections = await Promise.all([
    links(),
    json(["bridge", "-j", "-d", "link"], (port) => `port ${port.ifname} ${text(port)}`),
    json(["bridge", "-j", "vlan"], (vlan) => `vlan ${text(vlan)}`),
    json(["bridge", "-j", "fdb"], (entry) =>
      entry.state === "permanent" && !isMulticast(entry) ? `fdb ${text(entry)}` : undefined,
    ),
    addresses(),
    ...["-4", "-6"].flatMap((family) => [
      json(["ip", "-j", family, "route", "show", "table", "all"], describeRoute),
      json(["ip", "-j", family, "rule"], (rule) => `rule ${family} ${text(rule)}`),
      json(["ip", "-j", family, "neigh", "show", "nud", "permanent"], (entry) => `neighbour ${text(entry)}`),
    ]),
    nftables(),
    ...["iptables", "ip6tables"].flatMap((family) => [
      iptables(`${family}-nft`),
      iptables(`${family}-legacy`),
    ]),
  ]);
  // Every host has it: two looks that saw nothing must not pass for equal.
  if (!sections.flat().some((line) => line.startsWith("link lo "))) throw new Error("ip(8) shows no link lo");
  const byDesign = hostLock({ inode: statSync("/proc/self/ns/net").ino });
  const written = [...files("/var/lib/cni"), ...files("/run")].filter((line) => !byDesign.includes(line));
  return [...sections.flat(), ...sysctls(), ...written];
}

const text = (value: unknown): string => JSON.stringify(value);

async function json(
  command: readonly string[],
  describe: (entry: Json) => string | undefined,
): Promise<string[]> {
  const printed = await outputOf(command);
  // An empty list is "[]"; a plugin of the name prints nothing at all.
  if (printed.trim() === "") throw new Error(`\`${command.join(" ")}\` printed no JSON`);
  const entries = JSON.parse(printed) as Json[];
  return entries.filter((entry) => Object.keys(entry).length > 0).flatMap((entry) => describe(entry) ?? []);
}

// What follows from the rest, but in the kernel's own time, does not count: carrier and operational state, link-local
// addresses with their routes, the table "local", which has a route for each address, and the multicast groups that an
// interface joins.

const isMulticast = ({ mac }: Json): boolean => /^(33:33|01:00:5e):/.test(String(mac));

const isLinkLocal = (address: unknown): boolean => /^fe80::|^ff00::\/8$/.test(String(address));

function describeRoute(route: Json): string | undefined {
  if (isLinkLocal(route.dst) || (route.table === "local" && route.protocol === "kernel")) return undefined;
  const flags = (route.flags as string[]).filter((flag) => flag !== "linkdown");
  return `route ${text({ ...route, flags })}`;
}

const links = () =>
  json(["ip", "-j", "-d", "link"], (link) => {
    // Timers and counters of a bridge change by themselves; what was configured stays.
    const { linkinfo, stats64, operstate, ...rest } = link;
    const flags = (link.flags as string[]).filter((flag) => flag !== "NO-CARRIER" && flag !== "LOWER_UP");
    const { info_data, info_slave_data, ...kind } = (linkinfo ?? {}) as Json;
    return `link ${link.ifname} ${text({ ...rest, flags, ...kind, ...configured(info_data), ...configured(info_slave_data) })}`;
  });

function configured(data: unknown): Json {
  const changing = /timer|topology|tcn|root_|bridge_id|designated|state|config_pending/;
  return Object.fromEntries(Object.entries((data ?? {}) as Json).filter(([key]) => !changing.test(key)));
}

async function addresses(): Promise<string[]> {
  const perLink = JSON.parse(await outputOf(["ip", "-j", "addr"])) as {
    ifname?: string;
    addr_info?: Json[];
  }[];
  return perLink.flatMap(({ ifname, addr_info }) =>
    (addr_info ?? [])
      .filter(({ local }) => !isLinkLocal(local))
      .map((entry) => `address ${ifname} ${text(entry)}`),
  );
}

/** Rules without handles and counters, which differ between equal rulesets. */
async function nftables(): Promise<string[]> {
  const { nftables: entries } = JSON.parse(await outputOf(["nft", "-j", "list", "ruleset"])) as {
    nftables: Json[];
  };
  return entries
    .filter((entry) => !("metainfo" in entry))
    .map((entry) => `nft ${JSON.stringify(entry, (key, value) => (COUNTING.has(key) ? undefined : value))}`);
}

const COUNTING = new Set(["handle", "packets", "bytes"]);

/** Empty where the program does not exist: Debian has both kinds, other systems one. */
async function iptables(program: string): Promise<string[]> {
  if (Bun.which(`${program}-save`) === null) return [];
  const { exitCode, stdout } = await outcomeOf([`${program}-save`]);
  if (exitCode !== 0) return [];
  const lines = stdout
    .split("\n")
    .filter((line) => line !== "" && line !== "COMMIT" && !line.startsWith("#"));
  let table = "";
  return lines.flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1);
    // A table of the legacy kind stays for good once it is there: an empty one is no difference.
    if (line.startsWith("*") || / ACCEPT \[\d+:\d+\]$/.test(line)) return [];
    return `${program} ${table} ${line.replace(/ - \[\d+:\d+\]$/, "")}`;
  });
}

/** Those that plugins set for the whole host. Those of one link are seen with the link. */
function sysctls(): string[] {
  const names = [
    "net/ipv4/ip_forward",
    ...["all", "default"].flatMap((link) => SYSCTLS.map((name) => name.replace("*", link))),
  ];
  return names.flatMap((name) => {
    try {
      return `sysctl ${name.replaceAll("/", ".")} = ${readFileSync(`/proc/sys/${name}`, "utf8").trim()}`;
    } catch {
      return [];
    }
  });
}

const SYSCTLS = [
  ...["forwarding", "rp_filter", "arp_notify", "arp_ignore", "route_localnet", "proxy_arp"].map(
    (name) => `net/ipv4/conf/*/${name}`,
  ),
  ...["forwarding", "accept_ra", "accept_dad", "enhanced_dad", "disable_ipv6", "keep_addr_on_down"].map(
    (name) => `net/ipv6/conf/*/${name}`,
  ),
];

/** Every file below a folder with mode and content. Not followed: links. */
function files(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    // What iptables and mount make whenever they run.
    if (path === "/run/xtables.lock" || path === "/run/mount") return [];
    if (folder === "/run/netns") return [`namespace ${name}`];
    const { mode } = lstatSync(path);
    const permissions = (mode & 0o7777).toString(8);
    switch (mode & 0o170000) {
      case 0o040000:
        return [`file ${path}/ ${permissions}`, ...files(path)];
      case 0o120000:
        return [`file ${path} -> ${readlinkSync(path)}`];
      case 0o100000:
        return [`file ${path} ${permissions} ${content(path)}`];
      default:
        return [`file ${path} of another kind`];
    }
  });
}

function content(path: string): string {
  const bytes = readFileSync(path);
  return bytes.length <= 200
    ? JSON.stringify(bytes.toString())
    : `${bytes.length} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex")}`;
}
