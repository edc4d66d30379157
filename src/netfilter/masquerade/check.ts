/** Checks whether the masquerade rules of an attachment are complete (G17). */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import { FAMILIES, type Family, formatIp, ipFromBytes } from "../../net/ip.ts";
import { formatPrefix, networkOf, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeElements, getElements } from "../../netlink/nftables/element.ts";
import { iptablesChain } from "../attachment-names.ts";
import type { ChainState } from "../iptables/chain-state.ts";
import { nameOf } from "../iptables/change.ts";
import { type Backend, chosen, hostTable } from "../iptables/host.ts";
import { allTables, readChain } from "../iptables/nat-table.ts";
import { findChains, NO_NFTABLES, openNftables } from "../kernel.ts";
import { isHooked, MASQ_CHECKS, MASQ_POSTROUTING } from "../nftables/base-chains.ts";
import { rulesIn } from "../nftables/found-rules.ts";
import { doesSame, exactly, type Rule, ruleText } from "../rule.ts";
import { effectiveRules, holds, layoutOf } from "./iptables-plan.ts";
import { ENTRY_RULES, rulesOf } from "./nftables.ts";

/** @throws CniError that names the rules that are missing or altered */
export async function check(
  backend: Backend | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<void> {
  using netfilter = openNftables();
  const choice = await chosen(backend, netfilter);
  let missing: string[] = [];
  if (choice === "nftables") {
    missing = netfilter === undefined ? [NO_NFTABLES] : missingNftables(netfilter, attachment, addresses);
  } else {
    for (const family of FAMILIES) {
      const own = addresses.filter(({ address }) => address.family === family);
      if (own.length > 0) missing = missing.concat(await missingIptables(netfilter, attachment, family, own));
    }
  }
  if (missing.length === 0) return;
  const { network, containerId, ifname } = attachment;
  throw new CniError(
    code.internal,
    `masquerade rules of container ${JSON.stringify(containerId)} interface ${JSON.stringify(ifname)} ` +
      `(${addresses.map(formatPrefix).join(", ")}) in network ${JSON.stringify(network)} are missing or altered: ` +
      `${missing.join("; ")}. Another program flushed or changed them, as a firewall's reload does; DEL and ADD the attachment`,
  );
}

/**
 * Rules that are complete in either variant work. The host's iptables may have had the other variant when they were
 * written, and the table of the present variant may have an old, empty chain.
 */
async function missingIptables(
  connection: Connection | undefined,
  attachment: Attachment,
  family: Family,
  addresses: readonly Prefix[],
): Promise<string[]> {
  const first = await hostTable(connection, family);
  const others = allTables(connection).filter((table) => table.family === family);
  let reported: string[] | undefined;
  for (const table of first === undefined ? others : [first, ...others]) {
    const state = await readChain(table, iptablesChain(attachment));
    const missing = state && missingIn(state, nameOf(table), attachment, family, addresses);
    if (missing?.length === 0) return [];
    reported ??= missing;
  }
  const table = first ?? others[0];
  const unserved = addresses.map(formatPrefix).join(" and ");
  return (
    reported ?? [
      `the nat table of ${table === undefined ? "iptables" : nameOf(table)} has no chain ${iptablesChain(attachment)} to masquerade ${unserved}`,
    ]
  );
}

function missingIn(
  state: ChainState,
  table: string,
  attachment: Attachment,
  family: Family,
  addresses: readonly Prefix[],
): string[] {
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  // Another container in the chain may masquerade first; the accept rules before that apply to this container too.
  const effective = effectiveRules(state, masquerade);
  const missing: string[] = [];
  const lacks = (chain: string, rule: Rule): void => {
    missing.push(
      `chain ${chain} of the nat table of ${table} lacks the rule "-A ${chain} ${ruleText(rule)}"`,
    );
  };
  for (const accept of accepts) {
    // The reference writes the rule of a second subnet after the masquerade rule, where packets never reach it.
    const isReached = effective.some(({ rule }) => doesSame(rule, accept));
    if (!isReached && !holds(state.rules, accept)) lacks(state.chain, accept);
  }
  if (!holds(state.rules, masquerade)) lacks(state.chain, masquerade);
  for (const { rule } of effective) {
    if (rule === undefined || !endsForAll(rule)) continue;
    missing.push(
      `chain ${state.chain} of the nat table of ${table} has the rule "-A ${state.chain} ${ruleText(rule)}", so the rules after it are not reached`,
    );
  }
  for (const jump of jumps) if (!holds(state.jumps, jump)) lacks("POSTROUTING", jump);
  return missing;
}

/** Whether each packet leaves the chain at the rule without being masqueraded. */
const endsForAll = ({ comment: _, ...rule }: Rule): boolean =>
  ["-j ACCEPT", "-j RETURN"].includes(ruleText(rule));

function missingNftables(
  connection: Connection,
  attachment: Attachment,
  addresses: readonly Prefix[],
): string[] {
  if (addresses.length === 0) return [];
  const table = `table ${MASQ_CHECKS.family} ${MASQ_CHECKS.table}`;
  const entry = missingOnTheWay(connection);
  const missing = entry === undefined ? [] : [`chain ${MASQ_POSTROUTING.chain} of ${table} ${entry}`];
  const found = new Set<string>();
  for (const { rule } of rulesOf(connection, attachment)) {
    if (rule !== undefined) found.add(ruleText(withSource(connection, rule)));
  }
  for (const prefix of addresses) {
    const own = networkOf(prefix);
    const source = exactly(prefix.address);
    const destination = { prefix: own, inverted: true };
    if (found.has(ruleText({ source, destination, verdict: "masquerade" }))) continue;
    const ip = prefix.address.family === 4 ? "ip" : "ip6";
    const rule = `${ip} saddr ${formatIp(prefix.address)} ${ip} daddr != ${formatPrefix(own)} masquerade`;
    missing.push(`chain ${MASQ_CHECKS.chain} of ${table} lacks the rule "${rule}" of this attachment`);
  }
  return missing;
}

/** Why packets do not reach the attachments' rules, as the end of a sentence. */
function missingOnTheWay(connection: Connection): string | undefined {
  if (!isHooked(findChains(connection, [MASQ_POSTROUTING])[0], MASQ_POSTROUTING)) {
    return "is missing, or is not a nat chain of the postrouting hook";
  }
  const rules = rulesIn(connection, MASQ_POSTROUTING);
  const at = rules.findIndex(({ target }) => target === MASQ_CHECKS.chain);
  if (at < 0) return `lacks the rule "goto ${MASQ_CHECKS.chain}"`;
  for (const wanted of ENTRY_RULES) {
    const { destination } = wanted;
    if (destination !== undefined && !holds(rules.slice(0, at), wanted)) {
      return `lacks the rule that excludes multicast to ${formatPrefix(destination.prefix)}`;
    }
  }
  return undefined;
}

/** Turns a rule of ours into the reference's form, with the address from its set. */
function withSource(connection: Connection, { sourceSet, ...rule }: Rule): Rule {
  if (sourceSet === undefined) return rule;
  const elements = getElements({ family: MASQ_CHECKS.family, table: MASQ_CHECKS.table, set: sourceSet });
  const [element] = connection.dump(elements, (message) => decodeElements(message)[0]);
  const address = element && ipFromBytes(element.key);
  return address === undefined ? rule : { ...rule, source: exactly(address) };
}
