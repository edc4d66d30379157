/** CHECK of the masquerade rules (G17): what is missing of an attachment's rules, or altered, in sentences. */
import type { Attachment } from "../../cni/attachment.ts";
import { FAMILIES, type Family, formatIp, ipFromBytes } from "../../net/ip.ts";
import { formatPrefix, networkOf, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeElements, getElements } from "../../netlink/nftables/element.ts";
import { iptablesChain } from "../attachment-names.ts";
import { type ChainState, POSTROUTING, toolOf } from "../iptables/chain-state.ts";
import { hostTable } from "../iptables/host-table.ts";
import { allTables, nameOf, readChain } from "../iptables/nat-table.ts";
import { isHooked, MASQ_CHECKS, MASQ_POSTROUTING } from "../nftables/base-chains.ts";
import { rulesIn } from "../nftables/found-rules.ts";
import { dump, findChains } from "../nftables/kernel.ts";
import { doesSame, exactly, type FoundRule, isSame, outside, type Rule, ruleText } from "../rule.ts";
import { effectiveRules, layoutOf } from "./iptables-plan.ts";
import { ENTRY_RULES, rulesOf } from "./nftables.ts";

/**
 * Of the backend iptables. Rules that are whole in either variant do their work: the host's iptables may have been
 * another one when they were written, and the present one's table may hold an emptied chain of an earlier life.
 * @throws CniError, NetlinkError
 */
export async function missingIptables(
  connection: Connection | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): Promise<string[]> {
  const chain = iptablesChain(attachment);
  const all: string[] = [];
  for (const family of FAMILIES) {
    const own = addresses.filter(({ address }) => address.family === family);
    if (own.length === 0) continue;
    const first = hostTable(connection, family);
    const others = allTables(connection).filter((table) => table.family === family);
    const tables = first === undefined ? others : [first, ...others];
    const problems: { readonly isThere: boolean; readonly missing: string[] }[] = [];
    for (const table of tables) {
      const state = await readChain(table, chain);
      const missing = missingIn(state, nameOf(table), attachment, family, own);
      problems.push({ isThere: state !== undefined, missing });
    }
    if (problems.some(({ missing }) => missing.length === 0)) continue;
    const told = problems.find(({ isThere }) => isThere) ?? problems[0];
    all.push(...(told?.missing ?? missingIn(undefined, toolOf(4), attachment, family, own)));
  }
  return all;
}

function missingIn(
  state: ChainState | undefined,
  table: string,
  attachment: Attachment,
  family: Family,
  addresses: readonly Prefix[],
): string[] {
  const chain = iptablesChain(attachment);
  if (state === undefined) {
    const unserved = addresses.map(formatPrefix).join(" and ");
    return [`the nat table of ${table} has no chain ${chain}, by which ${unserved} is masqueraded`];
  }
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  // Another container of the chain may masquerade first: what lets its subnet pass does so for this one.
  const effective = effectiveRules(state, masquerade);
  const stands = (rules: readonly FoundRule[], wanted: Rule): boolean =>
    rules.some(({ rule }) => isSame(rule, wanted));
  const lacks = (where: string, rule: Rule): string =>
    `chain ${where} of the nat table of ${table} lacks the rule "-A ${where} ${ruleText(rule)}"`;
  return [
    // The reference writes that of a second subnet behind the masquerading, so that it never was reached.
    ...accepts
      .filter(
        (accept) => !effective.some(({ rule }) => doesSame(rule, accept)) && !stands(state.rules, accept),
      )
      .map((accept) => lacks(chain, accept)),
    ...(stands(state.rules, masquerade) ? [] : [lacks(chain, masquerade)]),
    ...effective.flatMap(({ rule }) =>
      rule !== undefined && endsForAll(rule)
        ? [
            `chain ${chain} of the nat table of ${table} has the rule "-A ${chain} ${ruleText(rule)}", behind which no rule is reached`,
          ]
        : [],
    ),
    ...jumps.filter((jump) => !stands(state.jumps, jump)).map((jump) => lacks(POSTROUTING, jump)),
  ];
}

/** Whether the way of each packet through the chain ends at the rule, without a masquerade. */
const endsForAll = ({ source, sourceSet, destination, verdict }: Rule): boolean =>
  source === undefined &&
  sourceSet === undefined &&
  destination === undefined &&
  (verdict === "accept" || verdict === "return");

/** Of the backend nftables. @throws NetlinkError */
export function missingNftables(
  connection: Connection,
  attachment: Attachment,
  addresses: readonly Prefix[],
): string[] {
  if (addresses.length === 0) return [];
  const table = `table ${MASQ_CHECKS.family} ${MASQ_CHECKS.table}`;
  const entry = missingOnTheWay(connection);
  const found = new Set(
    rulesOf(connection, attachment).map(({ rule }) => rule && ruleText(withSource(connection, rule))),
  );
  const all = entry === undefined ? [] : [`chain ${MASQ_POSTROUTING.chain} of ${table} ${entry}`];
  for (const prefix of addresses) {
    const own = networkOf(prefix);
    const wanted: Rule = {
      source: exactly(prefix.address),
      destination: outside(own),
      verdict: "masquerade",
    };
    if (found.has(ruleText(wanted))) continue;
    const family = prefix.address.family === 4 ? "ip" : "ip6";
    const rule = `${family} saddr ${formatIp(prefix.address)} ${family} daddr != ${formatPrefix(own)} masquerade`;
    all.push(`chain ${MASQ_CHECKS.chain} of ${table} lacks the rule "${rule}" of this attachment`);
  }
  return all;
}

/** What keeps packets from the attachments' rules, in words. */
function missingOnTheWay(connection: Connection): string | undefined {
  if (!isHooked(findChains(connection, [MASQ_POSTROUTING])[0], MASQ_POSTROUTING)) {
    return "is missing, or not a nat chain of the postrouting hook";
  }
  const rules = rulesIn(connection, MASQ_POSTROUTING);
  const at = rules.findIndex(({ target }) => target === MASQ_CHECKS.chain);
  if (at < 0) return `lacks the rule "goto ${MASQ_CHECKS.chain}"`;
  for (const wanted of ENTRY_RULES) {
    const { destination } = wanted;
    if (destination !== undefined && !rules.slice(0, at).some(({ rule }) => isSame(rule, wanted))) {
      return `lacks the rule that spares multicast to ${formatPrefix(destination.prefix)}`;
    }
  }
  return undefined;
}

/** A rule of our form as one of the reference's: with the address that its set holds. */
function withSource(connection: Connection, { sourceSet, ...rule }: Rule): Rule {
  if (sourceSet === undefined) return rule;
  const elements = getElements({ family: MASQ_CHECKS.family, table: MASQ_CHECKS.table, set: sourceSet });
  const [element] = dump(connection, elements, (message) => decodeElements(message)[0]);
  const address = element && ipFromBytes(element.key);
  return address === undefined ? rule : { ...rule, source: exactly(address) };
}
