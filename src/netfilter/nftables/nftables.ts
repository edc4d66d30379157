/**
 * Masquerading with a table of nftables (rules B29, B33, G1, G5), without a child process.
 *
 * Each address has one rule in `masq_checks` whose comment says the attachment, as the reference writes it: so each
 * program can delete what the other has added, and an address that is used again before its old owner's DEL keeps the
 * new owner's rule. Yet no one searches the chain: the address stands in an anonymous set whose name is made of the
 * attachment's mark, and from the set the rule is found (docs/decisions/0302-one-rule-an-address.md).
 */
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { rehearse, update } from "../../netlink/nftables/batch.ts";
import { decodeChain, getChain } from "../../netlink/nftables/chain.ts";
import { deleteRule, flushChain } from "../../netlink/nftables/rule.ts";
import { commentOf } from "../../netlink/nftables/userdata.ts";
import { ask, isUnsupported, permissionRemedy, reasonOf, rulesIn } from "../kernel.ts";
import { attachmentMark, networkMark, type Owner } from "../owner.ts";
import { belongsTo, rulesByName, rulesOf } from "./find.ts";
import { addressRule, CHECKS, POSTROUTING, POSTROUTING_RULES, postroutingRules, skeleton } from "./layout.ts";

/** Adds the attachment's rules, and the table where it is missing or damaged. @throws NetlinkError */
export function setUpNftables(connection: Connection, owner: Owner, addresses: readonly Prefix[]): void {
  for (let clean = false; !clean; ) {
    update(connection, () => {
      // Rules of an ADD that was killed before anybody knew of it. They go first, in a transaction of their own: a
      // name is not free before that.
      const left = rulesByName(connection, owner);
      clean = left.length === 0;
      if (!clean) return left.map((rule) => deleteRule(rule));
      return [
        ...(isComplete(connection) ? [] : [...skeleton(), flushChain(POSTROUTING), ...postroutingRules()]),
        ...addresses.flatMap((prefix, index) => addressRule(owner, index, prefix)),
      ];
    });
  }
}

/** Whether the table is there and packets come to its rules. Not looked at closely: that is what CHECK does. */
function isComplete(connection: Connection): boolean {
  const [entry, checks] = ask(connection, [getChain(POSTROUTING), getChain(CHECKS)]);
  const [chain] = (entry ?? []).map((reply) => decodeChain(reply));
  return (checks ?? []).length > 0 && (chain?.use ?? 0) >= POSTROUTING_RULES;
}

/** Removes the attachment's rules, whoever of the plugins has written them. @throws NetlinkError */
export function tearDownNftables(connection: Connection, owner: Owner): void {
  ignoringAbsence(() => update(connection, () => rulesOf(connection, owner).map((rule) => deleteRule(rule))));
}

/** Removes rules of the network's attachments that are not valid (G1). @throws NetlinkError */
export function collectNftables(
  connection: Connection,
  network: string,
  valid: readonly { containerId: string; ifname: string }[],
): void {
  const living = valid.map((attachment) => attachmentMark({ network, ...attachment }));
  const isStale = (mark: string): boolean => !living.some((name) => mark.startsWith(name));
  ignoringAbsence(() =>
    update(connection, () =>
      rulesIn(connection, CHECKS)
        .filter((rule) => belongsTo(rule, networkMark(network)) && isStale(commentOf(rule.userData) ?? ""))
        .map((rule) => deleteRule(rule)),
    ),
  );
}

/** A kernel without nf_tables has no rules to remove. */
function ignoringAbsence(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}

/** Why nftables cannot do it here, with the remedy; undefined when it can. Changes nothing, but takes 20 ms. */
export function nftablesProblem(connection: Connection | undefined): string | undefined {
  const remedy =
    "load the kernel modules nf_tables, nft_chain_nat and nft_masq; NAT of the family inet needs Linux 5.2 or later";
  if (connection === undefined) return `this kernel has no nf_tables; ${remedy}`;
  const example: Owner = { network: "", containerId: "", ifname: "" };
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
    return `${reasonOf(error)}; ${permissionRemedy(error) ?? remedy}`;
  }
}
