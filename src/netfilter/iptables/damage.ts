/** CHECK of the masquerade rules of iptables (G17). */
import type { Attachment } from "../../cni/attachment.ts";
import type { Family } from "../../net/ip.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { type AddressRule, iptablesText } from "../address-rule.ts";
import { iptablesChain } from "../attachment-names.ts";
import { allTables, byFamily, hostTable } from "./iptables.ts";
import { doTheSame, effectiveRules, layoutOf } from "./plan.ts";
import type { ChainState } from "./state.ts";

/**
 * What is lost or altered of the attachment's rules, in sentences (G17). Rules that are whole in either variant do
 * their work: the host's iptables may have been another one when they were written, and the present one's table may
 * hold an emptied chain of an earlier life. @throws CniError
 */
export function iptablesDamage(
  connection: Connection | undefined,
  attachment: Attachment,
  addresses: readonly Prefix[],
): string[] {
  return byFamily(addresses).flatMap(([family, own]) => {
    const first = hostTable(connection, family);
    const others = allTables(connection).filter((table) => table.family === family);
    const usable = first === undefined ? others : [first, ...others];
    const chain = iptablesChain(attachment);
    let told: string[] | undefined;
    for (const table of usable) {
      const state = table.read(chain);
      const damage = damageOf(state, table.name, attachment, family, own);
      if (damage.length === 0) return [];
      if (state !== undefined) told ??= damage;
    }
    return told ?? damageOf(undefined, usable[0]?.name ?? "iptables", attachment, family, own);
  });
}

function damageOf(
  state: ChainState | undefined,
  table: string,
  attachment: Attachment,
  family: Family,
  addresses: readonly Prefix[],
): string[] {
  const chain = iptablesChain(attachment);
  if (state === undefined) {
    const lost = addresses.map(formatPrefix).join(" and ");
    return [`the nat table of ${table} has no chain ${chain}, by which ${lost} is masqueraded`];
  }
  const { accepts, masquerade, jumps } = layoutOf(attachment, family, addresses);
  const texts = (rules: ChainState["rules"]): string[] =>
    rules.map(({ rule }) => (rule === undefined ? "" : iptablesText(rule)));
  // Another container of the chain may masquerade first: what lets its subnet pass does so for this one.
  const effective = effectiveRules(state, masquerade);
  const reached = (accept: AddressRule): boolean => effective.some(({ rule }) => doTheSame(rule, accept));
  const stands = (rule: AddressRule): boolean => texts(state.rules).includes(iptablesText(rule));
  const lost = (where: string, text: string): string =>
    `chain ${where} of the nat table of ${table} lacks the rule "-A ${where} ${text}"`;
  return [
    // The reference writes that of a second subnet behind the masquerading, so that it never was reached.
    ...accepts.flatMap((accept) =>
      reached(accept) || stands(accept) ? [] : [lost(chain, iptablesText(accept))],
    ),
    ...(stands(masquerade) ? [] : [lost(chain, iptablesText(masquerade))]),
    ...effective.flatMap(({ rule }) =>
      rule !== undefined && endsForAll(rule)
        ? [
            `chain ${chain} of the nat table of ${table} has the rule "-A ${chain} ${iptablesText(rule)}", behind which no rule is reached`,
          ]
        : [],
    ),
    ...jumps
      .map(iptablesText)
      .flatMap((text) => (texts(state.jumps).includes(text) ? [] : [lost("POSTROUTING", text)])),
  ];
}

/** Whether the way of each packet through the chain ends at the rule, without a masquerade. */
const endsForAll = ({ source, sourceSet, destination, action }: AddressRule): boolean =>
  source === undefined &&
  sourceSet === undefined &&
  destination === undefined &&
  (action === "accept" || action === "return");
