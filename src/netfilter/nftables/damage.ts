/** CHECK of the masquerade table (G17). */
import type { Attachment } from "../../cni/attachment.ts";
import { bits, formatIp, ipFromBytes, sameIp } from "../../net/ip.ts";
import { formatPrefix, networkOf, type Prefix, samePrefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeChain, getChain } from "../../netlink/nftables/chain.ts";
import { decodeElements, getElements } from "../../netlink/nftables/element.ts";
import type { AddressRule } from "../address-rule.ts";
import { readAddressRule } from "../expressions.ts";
import { ask, dump, rulesIn } from "../kernel.ts";
import { type FoundRule, postroutingDamage, rulesOf } from "./find.ts";
import { CHECKS, POSTROUTING, TABLE } from "./layout.ts";

/** What is lost or altered of the attachment's rules, in sentences. @throws NetlinkError */
export function nftablesDamage(
  connection: Connection,
  attachment: Attachment,
  addresses: readonly Prefix[],
): string[] {
  if (addresses.length === 0) return [];
  const table = `table ${TABLE.family} ${TABLE.table}`;
  const entry = entryDamage(connection);
  const rules = rulesOf(connection, attachment).map((rule) => masqueradedBy(connection, rule));
  return [
    ...(entry === undefined ? [] : [`chain ${POSTROUTING.chain} of ${table} ${entry}`]),
    ...addresses.flatMap((prefix) => {
      const found = rules.some(
        (rule) =>
          rule !== undefined &&
          sameIp(rule.source.address, prefix.address) &&
          rule.source.length === bits(prefix.address.family) &&
          samePrefix(rule.own, networkOf(prefix)),
      );
      if (found) return [];
      const family = prefix.address.family === 4 ? "ip" : "ip6";
      const rule =
        `${family} saddr ${formatIp(prefix.address)} ` +
        `${family} daddr != ${formatPrefix(networkOf(prefix))} masquerade`;
      return [`chain ${CHECKS.chain} of ${table} lacks the rule "${rule}" of this attachment`];
    }),
  ];
}

/** What keeps packets from the attachments' rules. */
function entryDamage(connection: Connection): string | undefined {
  const [reply] = ask(connection, [getChain(POSTROUTING)]).flat();
  const hook = reply && decodeChain(reply).base;
  if (hook?.type !== POSTROUTING.base?.type || hook?.hook !== POSTROUTING.base?.hook) {
    return "is missing, or no nat chain of the postrouting hook";
  }
  return postroutingDamage(rulesIn(connection, POSTROUTING));
}

/** Source and own subnet of a masquerade rule, of our form or the reference's; undefined for any other rule. */
function masqueradedBy(connection: Connection, rule: FoundRule): { source: Prefix; own: Prefix } | undefined {
  const read = readAddressRule(rule.expressions, undefined);
  if (read?.action !== "masquerade" || read.destination?.inverted !== true) return undefined;
  const source = sourceOf(connection, read);
  return source && { source, own: read.destination.prefix };
}

function sourceOf(connection: Connection, { source, sourceSet }: AddressRule): Prefix | undefined {
  if (source !== undefined) return source.inverted ? undefined : source.prefix;
  if (sourceSet === undefined) return undefined;
  const elements = getElements({ ...TABLE, set: sourceSet });
  const [element] = dump(connection, elements, (message) => decodeElements(message)[0]);
  const address = element && ipFromBytes(element.key);
  return address && { address, length: bits(address.family) };
}
