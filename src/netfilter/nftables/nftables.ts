/**
 * Masquerading with a table of nftables (rules B29, B33, G1, G5), without a child process.
 *
 * Each address has one rule in `masq_checks` whose comment says the attachment, as the reference writes it: so each
 * program can delete what the other has added, and an address that is used again before its old attachment's DEL keeps the
 * new attachment's rule. Yet no one searches the chain: the address stands in an anonymous set whose name is made of the
 * attachment's mark, and from the set the rule is found (docs/decisions/0011-one-rule-an-address.md).
 */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { rehearse, update } from "../../netlink/nftables/batch.ts";
import { decodeChain, getChain } from "../../netlink/nftables/chain.ts";
import { deleteRule, flushChain } from "../../netlink/nftables/rule.ts";
import { ask, isUnsupported, permissionRemedy } from "../kernel.ts";
import { deleteEmpty } from "../skeleton.ts";
import { type FoundRule, rulesByName, rulesOf } from "./find.ts";
import {
  addressRule,
  CHECKS,
  POSTROUTING,
  POSTROUTING_RULES,
  postroutingRules,
  skeleton,
  TABLE,
} from "./layout.ts";

/** Other calls may add the same attachment at the same time, each of them once. */
const ATTEMPTS = 20;

/** Adds the attachment's rules, and the table where it is missing or damaged. @throws NetlinkError, CniError */
export function setUpNftables(
  connection: Connection,
  attachment: Attachment,
  addresses: readonly Prefix[],
): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    let clean = false;
    update(connection, () => {
      // Rules of an ADD that was killed before it could report them. They go first, in a transaction of their own: a
      // name is not free before that.
      const left = rulesByName(connection, attachment);
      clean = left.length === 0;
      if (!clean) return left.map((rule) => deleteRule(rule));
      return [
        ...(isComplete(connection) ? [] : [...skeleton(), flushChain(POSTROUTING), ...postroutingRules()]),
        ...addresses.flatMap((prefix, index) => addressRule(attachment, index, prefix)),
      ];
    });
    if (clean) return;
  }
  throw new CniError(
    code.tryAgainLater,
    `cannot add rules to table ${TABLE.family} ${TABLE.table}: other calls add the same attachment at the same time; try again later`,
  );
}

/** Whether the table is there and packets come to its rules. Not looked at closely: that is what CHECK does. */
function isComplete(connection: Connection): boolean {
  const [entry, checks] = ask(connection, [getChain(POSTROUTING), getChain(CHECKS)]);
  const [chain] = (entry ?? []).map((reply) => decodeChain(reply));
  return (checks ?? []).length > 0 && (chain?.use ?? 0) >= POSTROUTING_RULES;
}

/** Removes the attachment's rules, whoever of the plugins has written them. @throws NetlinkError */
export function tearDownNftables(connection: Connection, attachment: Attachment): void {
  remove(connection, () => rulesOf(connection, attachment));
}

/** Deletes rules, and with the last one the table, if it was we who made it. @throws NetlinkError */
export function remove(connection: Connection, find: () => readonly FoundRule[]): void {
  let found: readonly FoundRule[] = [];
  try {
    update(connection, () => {
      found = find();
      return found.map((rule) => deleteRule(rule));
    });
    if (found.length > 0)
      deleteEmpty(connection, POSTROUTING, { chains: [CHECKS], rules: POSTROUTING_RULES });
  } catch (error) {
    // Then there are no such rules.
    if (!isUnsupported(error)) throw error;
  }
}

/** Why nftables cannot do it here, with the remedy; undefined when it can. Changes nothing, but takes 20 ms. */
export function nftablesProblem(connection: Connection | undefined): string | undefined {
  const remedy =
    "load the kernel modules nf_tables, nft_chain_nat and nft_masq; NAT of the family inet needs Linux 5.2 or later";
  if (connection === undefined) return `this kernel has no nf_tables; ${remedy}`;
  const example: Attachment = { network: "", containerId: "", ifname: "" };
  const addresses = ([4, 6] as const).map(
    (family): Prefix => ({ address: { family, value: 1n }, length: 8 }),
  );
  try {
    rehearse(connection, [
      ...skeleton(),
      ...postroutingRules(),
      ...addresses.flatMap((prefix, index) => addressRule(example, index, prefix)),
    ]);
    return undefined;
  } catch (error) {
    return `${toCniError(error).message}; ${permissionRemedy(error) ?? remedy}`;
  }
}
