/** What the reference plugin has its tools do on ADD and DEL, command by command. */

import type { Attachment } from "../../../src/cni/attachment.ts";
import { formatIp } from "../../../src/net/ip.ts";
import { formatPrefix, networkOf, type Prefix } from "../../../src/net/prefix.ts";
import { attachmentMark, iptablesChain, nftablesComment } from "../../../src/netfilter/attachment-names.ts";
import { outcomeOf, outputOf } from "../../support/command.ts";
import { prefixes } from "./prefixes.ts";

const commentOf = ({ network, containerId }: Attachment): string[] => [
  ...["-m", "comment", "--comment", `name: "${network}" id: "${containerId}"`],
];

/** Each address with iptables of its family, which says whether it did what it was told. */
async function forEachAddress(
  addresses: readonly string[],
  variant: string,
  body: (prefix: Prefix, nat: (...words: string[]) => Promise<boolean>) => Promise<void>,
): Promise<void> {
  for (const prefix of prefixes(...addresses)) {
    const program = `${prefix.address.family === 4 ? "iptables" : "ip6tables"}-${variant}`;
    await body(
      prefix,
      async (...words) => (await outcomeOf([program, "-t", "nat", ...words])).exitCode === 0,
    );
  }
}

/** SetupIPMasq of the backend iptables: one program after the other. */
export async function referenceAddIptables(
  attachment: Attachment,
  addresses: readonly string[],
  variant = "nft",
): Promise<void> {
  const chain = iptablesChain(attachment);
  const comment = commentOf(attachment);
  await forEachAddress(addresses, variant, async (prefix, nat) => {
    const unique = async (where: string, ...rule: string[]) => {
      if (await nat("-C", where, ...rule, ...comment)) return;
      if (!(await nat("-A", where, ...rule, ...comment))) throw new Error(`no rule ${rule.join(" ")}`);
    };
    await nat("-N", chain);
    await unique(chain, "-d", formatPrefix(prefix), "-j", "ACCEPT");
    const multicast = prefix.address.family === 4 ? "224.0.0.0/4" : "ff00::/8";
    await unique(chain, "!", "-d", multicast, "-j", "MASQUERADE");
    await unique("POSTROUTING", "-s", formatIp(prefix.address), "-j", chain);
  });
}

/** TeardownIPMasq of the backend iptables. What is not there is no error to it. */
export async function referenceDelIptables(
  attachment: Attachment,
  addresses: readonly string[],
  variant = "nft",
): Promise<void> {
  const chain = iptablesChain(attachment);
  await forEachAddress(addresses, variant, async (prefix, nat) => {
    for (const source of [formatIp(prefix.address), formatPrefix(prefix)])
      await nat("-D", "POSTROUTING", "-s", source, "-j", chain, ...commentOf(attachment));
    await nat("-F", chain);
    await nat("-X", chain);
  });
}

const TABLE = "inet cni_plugins_masquerade";

/** Handles of the rules of a chain whose comments are the wanted ones; none where there is no chain. */
async function handlesIn(chain: string, isWanted: (comment: string) => boolean): Promise<number[]> {
  const { exitCode, stdout } = await outcomeOf(`nft -j list chain ${chain}`);
  if (exitCode !== 0) return [];
  type Listed = { nftables: { rule?: { comment?: string; handle: number } }[] };
  return (JSON.parse(stdout) as Listed).nftables.flatMap(({ rule }) =>
    rule !== undefined && isWanted(rule.comment ?? "") ? [rule.handle] : [],
  );
}

/** Of the rules whose comments begin with the attachment's mark. */
const handlesOf = (attachment: Attachment): Promise<number[]> =>
  handlesIn(`${TABLE} masq_checks`, (comment) => comment.startsWith(attachmentMark(attachment)));

/** setupIPMasqNFTables: one transaction, which empties postrouting each time. */
export async function referenceAddNftables(
  attachment: Attachment,
  addresses: readonly string[],
): Promise<void> {
  const stale = await handlesOf(attachment);
  const rules = prefixes(...addresses).map((prefix) => {
    const ip = prefix.address.family === 4 ? "ip" : "ip6";
    return (
      `add rule ${TABLE} masq_checks ${ip} saddr == ${formatIp(prefix.address)} ` +
      `${ip} daddr != ${formatPrefix(networkOf(prefix))} masquerade comment "${nftablesComment(attachment)}"`
    );
  });
  await nft([
    `add table ${TABLE}`,
    `add chain ${TABLE} masq_checks`,
    `add chain ${TABLE} postrouting { type nat hook postrouting priority 100 ; }`,
    `flush chain ${TABLE} postrouting`,
    `add rule ${TABLE} postrouting ip daddr == 224.0.0.0/4  return`,
    `add rule ${TABLE} postrouting ip6 daddr == ff00::/8  return`,
    `add rule ${TABLE} postrouting goto masq_checks`,
    ...stale.map((handle) => `delete rule ${TABLE} masq_checks handle ${handle}`),
    ...rules,
  ]);
}

/** teardownIPMasqNFTables. */
export async function referenceDelNftables(attachment: Attachment): Promise<void> {
  await nft(
    (await handlesOf(attachment)).map((handle) => `delete rule ${TABLE} masq_checks handle ${handle}`),
  );
}

const spoofId = ({ containerId, ifname }: Attachment): string => `${containerId}-${ifname}`;

/** SpoofChecker.Setup: two transactions, as JSON, in which nft takes names and comments that it refuses as text. */
export async function referenceSpoofCheck(
  attachment: Attachment,
  hostInterface: string,
  mac: string,
): Promise<void> {
  const table = { family: "bridge", table: "nat" };
  const chain = `cni-br-iface-${spoofId(attachment)}`;
  const comment = `macspoofchk-${spoofId(attachment)}`;
  const add = (what: string, object: object) => ({ add: { [what]: object } });
  const rule = (where: string, ...expr: object[]) => add("rule", { ...table, chain: where, expr, comment });
  const equals = (left: object, right: string) => ({ match: { op: "==", left, right } });
  const jump = (target: string) => ({ jump: { target } });
  await nftJson([
    add("table", { family: "bridge", name: "nat" }),
    add("chain", {
      ...{ ...table, name: "PREROUTING", type: "filter", hook: "prerouting", prio: -300, policy: "accept" },
    }),
    ...[chain, `${chain}-mac`].map((name) => add("chain", { ...table, name })),
  ]);
  await nftJson([
    ...[chain, `${chain}-mac`].map((name) => ({ flush: { chain: { ...table, name } } })),
    rule("PREROUTING", equals({ meta: { key: "iifname" } }, hostInterface), jump(chain)),
    rule(chain, jump(`${chain}-mac`)),
    rule(`${chain}-mac`, equals({ payload: { protocol: "ether", field: "saddr" } }, mac), { return: null }),
    rule(`${chain}-mac`, { drop: null }),
  ]);
}

/** SpoofChecker.Teardown: the rule of PREROUTING by its comment, then the chains. @throws CommandFailed */
export async function referenceSpoofCheckRemoval(attachment: Attachment): Promise<void> {
  const table = { family: "bridge", table: "nat" };
  const chain = `cni-br-iface-${spoofId(attachment)}`;
  const comment = `macspoofchk-${spoofId(attachment)}`;
  const handles = await handlesIn("bridge nat PREROUTING", (found) => found === comment);
  await nftJson(handles.map((handle) => ({ delete: { rule: { ...table, chain: "PREROUTING", handle } } })));
  await nftJson([chain, `${chain}-mac`].map((name) => ({ delete: { chain: { ...table, name } } })));
}

const nftJson = (nftables: readonly object[]): Promise<string> =>
  outputOf(["nft", "-j", "-f", "-"], { stdin: JSON.stringify({ nftables }) });

const nft = (lines: readonly string[]): Promise<string> =>
  outputOf(["nft", "-f", "-"], { stdin: `${lines.join("\n")}\n` });
