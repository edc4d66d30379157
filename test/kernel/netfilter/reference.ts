/** What the reference plugin has its tools do on ADD and DEL, command by command. */

import type { Attachment } from "../../../src/cni/attachment.ts";
import { formatIp } from "../../../src/net/ip.ts";
import { formatPrefix, networkOf } from "../../../src/net/prefix.ts";
import { attachmentMark, iptablesChain, nftablesComment } from "../../../src/netfilter/attachment-names.ts";
import { outcomeOf, outputOf } from "../../support/command.ts";
import { prefixes } from "./prefixes.ts";

const programOf = (family: 4 | 6, variant: string): string =>
  `${family === 4 ? "iptables" : "ip6tables"}-${variant}`;
const commentOf = ({ network, containerId }: Attachment): string[] => [
  "-m",
  "comment",
  "--comment",
  `name: "${network}" id: "${containerId}"`,
];

/** SetupIPMasq of the backend iptables: one program after the other. */
export async function referenceAddIptables(
  attachment: Attachment,
  addresses: readonly string[],
  variant = "nft",
): Promise<void> {
  const chain = iptablesChain(attachment);
  const comment = commentOf(attachment);
  for (const prefix of prefixes(...addresses)) {
    const { family } = prefix.address;
    const nat = [programOf(family, variant), "-t", "nat"];
    const unique = async (where: string, rule: string[]) => {
      const { exitCode } = await outcomeOf([...nat, "-C", where, ...rule, ...comment]);
      if (exitCode !== 0) await outputOf([...nat, "-A", where, ...rule, ...comment]);
    };
    await outcomeOf([...nat, "-N", chain]);
    await unique(chain, ["-d", formatPrefix(prefix), "-j", "ACCEPT"]);
    await unique(chain, ["!", "-d", family === 4 ? "224.0.0.0/4" : "ff00::/8", "-j", "MASQUERADE"]);
    await unique("POSTROUTING", ["-s", formatIp(prefix.address), "-j", chain]);
  }
}

/** TeardownIPMasq of the backend iptables. What is not there is no error to it. */
export async function referenceDelIptables(
  attachment: Attachment,
  addresses: readonly string[],
  variant = "nft",
): Promise<void> {
  const chain = iptablesChain(attachment);
  for (const prefix of prefixes(...addresses)) {
    const { family } = prefix.address;
    const nat = [programOf(family, variant), "-t", "nat"];
    await outcomeOf([
      ...nat,
      "-D",
      "POSTROUTING",
      "-s",
      formatIp(prefix.address),
      "-j",
      chain,
      ...commentOf(attachment),
    ]);
    await outcomeOf([
      ...nat,
      "-D",
      "POSTROUTING",
      "-s",
      formatPrefix(prefix),
      "-j",
      chain,
      ...commentOf(attachment),
    ]);
    await outcomeOf([...nat, "-F", chain]);
    await outcomeOf([...nat, "-X", chain]);
  }
}

const TABLE = "inet cni_plugins_masquerade";

/** Handles of the rules whose comments begin with the attachment's mark. */
async function handlesOf(attachment: Attachment): Promise<number[]> {
  const { exitCode, stdout } = await outcomeOf([
    "nft",
    "-j",
    "list",
    "chain",
    ...TABLE.split(" "),
    "masq_checks",
  ]);
  if (exitCode !== 0) return [];
  const { nftables } = JSON.parse(stdout) as {
    nftables: { rule?: { comment?: string; handle: number } }[];
  };
  return nftables.flatMap(({ rule }) =>
    rule?.comment?.startsWith(attachmentMark(attachment)) ? [rule.handle] : [],
  );
}

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
      ...table,
      name: "PREROUTING",
      type: "filter",
      hook: "prerouting",
      prio: -300,
      policy: "accept",
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
  const { nftables } = JSON.parse(
    await outputOf(["nft", "-j", "list", "chain", "bridge", "nat", "PREROUTING"]),
  ) as { nftables: { rule?: { comment?: string; handle: number } }[] };
  const handles = nftables.flatMap(({ rule }) =>
    rule?.comment === `macspoofchk-${spoofId(attachment)}` ? [rule.handle] : [],
  );
  await nftJson(handles.map((handle) => ({ delete: { rule: { ...table, chain: "PREROUTING", handle } } })));
  await nftJson([chain, `${chain}-mac`].map((name) => ({ delete: { chain: { ...table, name } } })));
}

const nftJson = (nftables: readonly object[]): Promise<string> =>
  outputOf(["nft", "-j", "-f", "-"], { stdin: JSON.stringify({ nftables }) });

const nft = (lines: readonly string[]): Promise<string> =>
  outputOf(["nft", "-f", "-"], { stdin: `${lines.join("\n")}\n` });
