/**
 * What is really on the host, by other eyes than the plugin's: lease files and sysfs read right away, and rule sets as
 * their own tools list them.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Outcome, outcomeOf } from "../../support/command.ts";
import type { Attachment, Container } from "./model.ts";
import { LEASES } from "./networks.ts";

/** Lease files of a network: name to content. What vanishes while it is looked at is not there. */
export function leaseFiles(network: string): Map<string, string> {
  const folder = `${LEASES}/${network}`;
  const files = new Map<string, string>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder)) {
    if (!/^[0-9a-f:.]+$/.test(name)) continue;
    const content = textOf(`${folder}/${name}`);
    if (content !== undefined) files.set(name, content);
  }
  return files;
}

export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** Host's interfaces by the attachment that their alias names ("NETWORK/CONTAINER/IFNAME"). */
export function linksByOwner(): Map<string, { name: string; master: string | undefined; up: boolean }> {
  const links = new Map<string, { name: string; master: string | undefined; up: boolean }>();
  for (const name of readdirSync("/sys/class/net")) {
    const folder = `/sys/class/net/${name}`;
    const [, owner] = /^bridgehead:(.*)\n?$/.exec(textOf(`${folder}/ifalias`) ?? "") ?? [];
    if (owner === undefined) continue;
    const master = /^INTERFACE=(.*)$/m.exec(textOf(`${folder}/master/uevent`) ?? "")?.[1];
    links.set(owner, { name, master, up: (Number(textOf(`${folder}/flags`)) & 1) === 1 });
  }
  return links;
}

/** Lines of rules, by the tool that lists them. */
export interface Rules {
  readonly iptables: readonly string[];
  readonly nftables: readonly string[];
  readonly spoofChecks: readonly string[];
}

const LIST_RULES = [
  "for variant in nft legacy; do for family in ip ip6; do",
  // Asking for a table of the legacy kind makes it: only where it is already.
  '  [ $variant = nft ] || grep -qs "^nat$" /proc/net/"$family"_tables_names || continue',
  '  "$family"tables-$variant-save -t nat || exit 1',
  "done; done",
  "echo === nftables",
  "tables=$(nft list tables) || exit 1",
  'case "$tables" in *"inet cni_plugins_masquerade"*) nft list table inet cni_plugins_masquerade || exit 1;; esac',
  "echo === spoof",
  'case "$tables" in *"bridge nat"*) nft list table bridge nat || exit 1;; esac',
].join("\n");

/** Tools give up when the rule set changes while they read it: then they are asked again. */
const ATTEMPTS = 10;

/** All rules; undefined when the rule set never kept still. */
export async function listRules(): Promise<Rules | undefined> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const { exitCode, stdout } = await outcomeOf(LIST_RULES);
    if (exitCode !== 0) continue;
    const [iptables = "", nftables = "", spoof = ""] = stdout.split(/^=== \w+\n/m);
    const lines = (text: string) => text.split("\n").map((line) => line.trim());
    return { iptables: lines(iptables), nftables: lines(nftables), spoofChecks: lines(spoof) };
  }
  return undefined;
}

/** What is wrong with the rules of an attachment that is whole, in sentences. */
export function missingRules(rules: Rules, attachment: Attachment): string[] {
  const { network, container, ifname } = attachment;
  const missing: string[] = [];
  for (const address of network.masquerade === undefined ? [] : attachment.addresses) {
    const found =
      network.masquerade === "nftables"
        ? rules.nftables.some((line) =>
            line.includes(`ip${address.includes(":") ? "6" : ""} saddr ${address} `) ||
            line.includes(` saddr { ${address} } `)
              ? line.includes(`net: ${network.name}, if: ${ifname}, id: ${container.name}"`)
              : false,
          )
        : rules.iptables.some(
            (line) =>
              line.startsWith(`-A POSTROUTING -s ${address}/${address.includes(":") ? 128 : 32} `) &&
              line.includes(ownComment(attachment)),
          );
    if (!found) missing.push(`${address} is not masqueraded by ${network.masquerade}`);
  }
  const chain = `chain cni-br-iface-${container.name}-${ifname} {`;
  // The check of a port that is gone is stale: any network's GC may remove it.
  const port = attachment.isWhole("namespace", "link");
  if (network.spoofCheck && port && !rules.spoofChecks.includes(chain))
    missing.push("its spoof check is gone");
  return missing;
}

/** Rules that carry the owner's name. */
export function rulesOf(rules: Rules, { network, container, ifname }: Attachment): string[] {
  const attachment = { network, container };
  return [
    ...rules.iptables.filter((line) => line.includes(ownComment(attachment))),
    ...rules.nftables.filter((line) =>
      line.includes(`net: ${network.name}, if: ${ifname}, id: ${container.name}"`),
    ),
    ...rules.spoofChecks.filter(
      (line) => network.spoofCheck && line.includes(`cni-br-iface-${container.name}-${ifname}`),
    ),
  ];
}

const ownComment = ({ network, container }: Pick<Attachment, "network" | "container">): string =>
  `"name: \\"${network.name}\\" id: \\"${container.name}\\"`;

/** What `ip` shows of one interface inside of a container. */
export interface InsideLink {
  readonly address: string;
  readonly flags: readonly string[];
  readonly addresses: readonly string[];
}

/** Interfaces of a container by name; undefined when the namespace can't be entered. */
export async function insideOf(container: Container): Promise<Map<string, InsideLink> | undefined> {
  const outcome: Outcome = await outcomeOf(["ip", "-n", container.name, "-j", "addr"]);
  if (outcome.exitCode !== 0) return undefined;
  const links = JSON.parse(outcome.stdout || "[]") as {
    ifname?: string;
    address: string;
    flags: string[];
    addr_info?: { local: string; prefixlen: number; scope: string }[];
  }[];
  return new Map(
    links.map(({ ifname = "", address, flags, addr_info = [] }) => [
      ifname,
      {
        address,
        flags,
        addresses: addr_info
          .filter(({ scope }) => scope === "global")
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      },
    ]),
  );
}
