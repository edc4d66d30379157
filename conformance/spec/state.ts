/** What is on a host, in lines that can be compared: links, addresses, routes, firewall rules, files of CNI programs. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { netnsPath } from "./case.ts";

export type State = readonly string[];

type Json = Record<string, unknown>;

const NETWORK = `echo @@addr; ip -d -j addr
echo @@route4; ip -j -4 route show table all
echo @@route6; ip -j -6 route show table all`;

const FIREWALL = `echo @@nft; nft -j list ruleset
echo @@iptables; iptables-save
echo @@ip6tables; ip6tables-save
echo @@forwarding; cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding`;

/** A shell script that prints all that stateOf reads. */
export function captureScript(host: string, containers: readonly string[]): string {
  const parts = [host, ...containers].map(
    (place) => `echo @@@${place}
if [ -e ${netnsPath(place)} ]; then nsenter --net=${netnsPath(place)} /bin/sh 2>/dev/null <<'END' || echo @@gone
${place === host ? `${NETWORK}\n${FIREWALL}` : NETWORK}
END
else echo @@gone; fi`,
  );
  return parts.join("\n");
}

/** The state in the script's output, and the files of the leases. */
export function stateOf(output: string): State {
  const lines = sections(output, /^@@@(.*)$/m).flatMap(([place, text]) => {
    const of = Object.fromEntries(sections(text, /^@@(.*)$/m));
    if (of.gone !== undefined) return [`${place}: gone`];
    const own = [
      ...parse(of.addr).flatMap(linkLines),
      ...parse(of.route4).flatMap(routeLine),
      ...parse(of.route6).flatMap(routeLine),
      ...nftLines(of.nft),
      ...iptablesLines("iptables", of.iptables),
      ...iptablesLines("ip6tables", of.ip6tables),
      ...(of.forwarding === undefined ? [] : [`forwarding ${of.forwarding.trim().replace("\n", " ")}`]),
    ];
    return own.map((line) => `${place}: ${line}`);
  });
  return [...lines, ...fileLines("/var/lib/cni")];
}

/** Pairs of title and text. */
function sections(text: string, title: RegExp): [string, string][] {
  const parts = text.split(title).slice(1);
  return parts.flatMap((part, index) => (index % 2 === 0 ? [[part, parts[index + 1] ?? ""]] : []));
}

const parse = (text = ""): Json[] =>
  text.trim() === "" ? [] : (JSON.parse(text) as Json[]).filter((entry) => Object.keys(entry).length > 0);

/**
 * What follows from the rest in the kernel's own time is left out: carriers, link-local addresses, multicast, and
 * routes to own addresses.
 */
const isVolatile = (address: unknown): boolean => /^(fe80:|ff00:|multicast)/.test(String(address));

function linkLines({ ifname, flags, mtu, master, promiscuity, linkinfo, addr_info }: Json): string[] {
  const { info_kind } = (linkinfo ?? {}) as Json;
  const up = (flags as string[]).includes("UP") ? " UP" : "";
  const port = master === undefined ? "" : ` port of ${master}`;
  const promiscuous = Number(promiscuity) > 0 && port === "" ? " promiscuous" : "";
  const addresses = (addr_info as Json[]).filter(({ local }) => !isVolatile(local));
  return [
    `link ${ifname} ${info_kind ?? ""} mtu ${mtu}${up}${port}${promiscuous}`,
    ...addresses.map(({ local, prefixlen }) => `address ${local}/${prefixlen} on ${ifname}`),
  ];
}

function routeLine({ dst, gateway, dev, table, type, metric, scope, metrics }: Json): string[] {
  if (isVolatile(dst) || isVolatile(type) || table === "local") return [];
  const extra = { type, table, metric, scope, metrics };
  return [`route ${dst} via ${gateway ?? "nothing"} dev ${dev} ${JSON.stringify(extra)}`];
}

const COUNTING = new Set(["handle", "packets", "bytes"]);
/** Tables that iptables keeps in nftables: iptables-save shows them. */
const OF_IPTABLES = new Set(["nat", "filter", "mangle", "raw", "security"]);

function nftLines(text = ""): string[] {
  if (text.trim() === "") return [];
  return (JSON.parse(text) as { nftables: Record<string, Json>[] }).nftables.flatMap((entry) => {
    const [kind = "", object = {}] = Object.entries(entry)[0] ?? [];
    const table = String(kind === "table" ? object.name : object.table);
    const isIptables = /^ip6?$/.test(String(object.family)) && OF_IPTABLES.has(table);
    if (kind === "metainfo" || isIptables) return [];
    return `nft ${JSON.stringify(entry, (key, value) => (COUNTING.has(key) ? undefined : value))}`;
  });
}

/** Rules, and chains that are not the kernel's: an empty table that stays is no difference. */
function iptablesLines(program: string, text = ""): string[] {
  const lines = text.split("\n").filter((line) => line.startsWith("-") || / - \[/.test(line));
  return lines.map((line) => `${program} ${line.replace(/ \[\d+:\d+\]$/, "")}`);
}

function fileLines(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const status = lstatSync(path);
    if (status.isDirectory()) return [`file ${path}/`, ...fileLines(path)];
    const content = readFileSync(path, "latin1");
    return [`file ${path} ${/^[\r\n\t -~]*$/.test(content) ? JSON.stringify(content) : "(binary)"}`];
  });
}
