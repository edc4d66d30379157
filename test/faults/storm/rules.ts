/** The rule sets of the host, as their own tools list them, and what of them is an attachment's. */
import { outcomeOf } from "../../support/command.ts";
import { missingBehind, rulesBehind } from "./chain-eyes.ts";
import type { Attachment } from "./model.ts";

/** Lines of rules, by the tool that lists them. */
export interface Rules {
  readonly iptables: readonly string[];
  /** The same by table, as in "legacy ip filter". */
  readonly tables: ReadonlyMap<string, readonly string[]>;
  readonly nftables: readonly string[];
  readonly spoofChecks: readonly string[];
  /** The tables of portmap and of the firewall, by name: "ip cni_hostport". */
  readonly own: ReadonlyMap<string, string>;
}

const OWN_TABLES = [
  ...["ip cni_hostport", "ip6 cni_hostport", "ip cni_hostport_guard", "inet cni_firewall"],
] as const;

const listing = (table: string): string =>
  `case "$tables" in *"table ${table}$end"*) nft list table ${table} || exit 1;; esac`;

const LIST_RULES = [
  "for variant in nft legacy; do for family in ip ip6; do for table in nat filter; do",
  // Asking for a table of the legacy kind makes it: only where it is already.
  '  [ $variant = nft ] || grep -qs "^$table$" /proc/net/"$family"_tables_names || continue',
  '  echo "=== $variant $family $table"',
  '  "$family"tables-$variant-save -t $table || exit 1',
  "done; done; done",
  "end='\n'",
  "tables=$(nft list tables && echo end) || exit 1",
  "echo === nftables",
  listing("inet cni_plugins_masquerade"),
  "echo === spoof",
  listing("bridge nat"),
  ...OWN_TABLES.flatMap((table) => [`echo === ${table}`, listing(table)]),
].join("\n");

/** Tools give up when the rule set changes while they read it: then they are asked again. */
const ATTEMPTS = 10;

/** All rules; undefined when the rule set never kept still. */
export async function listRules(): Promise<Rules | undefined> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const { exitCode, stdout } = await outcomeOf(LIST_RULES);
    if (exitCode !== 0) continue;
    const [, ...parts] = stdout.split(/^=== /m);
    const texts = new Map(
      parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]),
    );
    const lines = (name: string) => (texts.get(name) ?? "").split("\n").map((line) => line.trim());
    const tables = new Map(
      [...texts.keys()].filter((name) => /^(nft|legacy) /.test(name)).map((name) => [name, lines(name)]),
    );
    return {
      iptables: [...tables.values()].flat(),
      tables,
      nftables: lines("nftables"),
      spoofChecks: lines("spoof"),
      own: new Map(OWN_TABLES.map((table) => [table, texts.get(table) ?? ""])),
    };
  }
  return undefined;
}

/** Rules of all attachments that are in a table of iptables twice. A dead one and its heir have rules for the same address. */
export const repeatedRules = ({ tables }: Rules): string[] =>
  [...tables].flatMap(([name, lines]) => {
    const rules = lines.filter((line) => /^-A (?!CNI-FORWARD -[sd] )/.test(line));
    return rules.filter((line, at) => rules.indexOf(line) < at).map((line) => `${name}: ${line}`);
  });

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
  return [...missing, ...missingBehind(rules, attachment)];
}

/** Rules that carry the owner's name. */
export function rulesOf(rules: Rules, owner: Attachment): string[] {
  const { network, container, ifname } = owner;
  return [
    ...rules.iptables.filter((line) => line.includes(ownComment(owner))),
    ...rules.nftables.filter((line) =>
      line.includes(`net: ${network.name}, if: ${ifname}, id: ${container.name}"`),
    ),
    ...rules.spoofChecks.filter(
      (line) => network.spoofCheck && line.includes(`cni-br-iface-${container.name}-${ifname}`),
    ),
    ...rulesBehind(rules, owner),
  ];
}

const ownComment = ({ network, container }: Pick<Attachment, "network" | "container">): string =>
  `"name: \\"${network.name}\\" id: \\"${container.name}\\"`;
