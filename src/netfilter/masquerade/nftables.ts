/**
 * Masquerading with a table of nftables (rules B29, B33, G5), without a child process.
 *
 * Each address has one rule in `masq_checks` whose comment names the attachment, as the reference writes it. So each
 * program can delete the rules of the other, and the DEL of an old attachment keeps the rule of a new one with the same
 * address. The chain need not be searched: the address is in an anonymous set that is named by the attachment's mark,
 * and the rule is found by the set (docs/decisions/0011-one-rule-an-address.md).
 */
import type { Attachment } from "../../cni/attachment.ts";
import { CniError, code } from "../../cni/error.ts";
import { ipToBytes } from "../../net/ip.ts";
import { networkOf, type Prefix } from "../../net/prefix.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { addChain } from "../../netlink/nftables/chain.ts";
import { addElements } from "../../netlink/nftables/element.ts";
import { addRule, deleteRule, flushChain } from "../../netlink/nftables/rule.ts";
import { addSet, decodeSet, getSet, type SetName } from "../../netlink/nftables/set.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { comment } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, nftablesComment } from "../attachment-names.ts";
import { findChains, getEach } from "../kernel.ts";
import { MASQ_CHECKS, MASQ_POSTROUTING, madeHere } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { having, type NftRule, rulesByHandle, rulesIn } from "../nftables/found-rules.ts";
import { update } from "../nftables/update.ts";
import { MULTICAST, type Rule } from "../rule.ts";

const { family, table } = MASQ_CHECKS;

/** The rules of postrouting. The reference flushes the chain on each ADD and writes the same rules. */
export const ENTRY_RULES: readonly Rule[] = [
  { destination: { prefix: MULTICAST[4], inverted: false }, verdict: "return" },
  { destination: { prefix: MULTICAST[6], inverted: false }, verdict: "return" },
  { verdict: "goto", target: MASQ_CHECKS.chain },
];

/** Difference between the handles of an address's rule and set: one transaction adds the rule right after the set. */
const RULE_AFTER_SET = 1n;

/** Attempts, since other calls may add the same attachment at the same time. */
const ATTEMPTS = 20;

/** Adds the attachment's rules, and the table if it is missing or incomplete. @throws NetlinkError, CniError */
export function setUpNftables(
  connection: Connection,
  attachment: Attachment,
  addresses: readonly Prefix[],
): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    let isClean = false;
    update(connection, () => {
      // Rules of a killed ADD are deleted first, in their own transaction: only then are the names of their sets free.
      const left = rulesByName(connection, attachment);
      isClean = left.length === 0;
      if (!isClean) return left.map(deleteRule);
      // The number of rules is enough here; CHECK verifies that packets reach them.
      const [entry, checks] = findChains(connection, [MASQ_POSTROUTING, MASQ_CHECKS]);
      const isWhole = checks !== undefined && (entry?.use ?? 0) >= MASQ_POSTROUTING.rules;
      return [...(isWhole ? [] : tableRequests()), ...attachmentRequests(attachment, addresses)];
    });
    if (isClean) return;
  }
  throw new CniError(
    code.tryAgainLater,
    `cannot add rules to table ${family} ${table}: other calls add the same attachment at the same time; try again later`,
  );
}

/** Adds the table and its chains, which stay if they exist, and rewrites the rules of postrouting. */
export const tableRequests = (): Request[] => [
  addTable({ family, table, userData: [comment("masquerading of containers, by CNI plugins"), madeHere] }),
  addChain({ ...MASQ_CHECKS, userData: [comment("what leaves a container's own subnet is masqueraded")] }),
  addChain(MASQ_POSTROUTING),
  flushChain(MASQ_POSTROUTING),
  ...ENTRY_RULES.map((rule) =>
    addRule({ family, table, chain: MASQ_POSTROUTING.chain, expressions: encodeRule(rule, family) }),
  ),
];

/** For each address an anonymous set that contains it, then its rule, see RULE_AFTER_SET. */
export const attachmentRequests = (attachment: Attachment, addresses: readonly Prefix[]): Request[] =>
  addresses.flatMap((prefix, index) => {
    const set = { ...setName(attachment, index), id: index + 1 };
    const key = [prefix.address.family === 4 ? "ipv4_addr" : "ipv6_addr"] as const;
    const destination = { prefix: networkOf(prefix), inverted: true };
    const rule: Rule = { sourceSet: set.set, destination, verdict: "masquerade" };
    return [
      addSet({ ...set, key, anonymous: true, constant: true, size: 1 }, { exclusive: true }),
      addElements(set, [{ key: ipToBytes(prefix.address) }]),
      addRule({
        ...MASQ_CHECKS,
        userData: [comment(nftablesComment(attachment))],
        expressions: encodeRule(rule, family, { setId: set.id }),
      }),
    ];
  });

/** Name of the set of an attachment's nth address. */
const setName = (attachment: Attachment, index: number): SetName => ({
  family,
  table,
  set: `${attachmentMark(attachment)}-${index}`,
});

/**
 * The attachment's rules, found by the names of their sets: the cost does not depend on the number of rules. Two sets
 * are read at a time, since most attachments have one or two addresses.
 */
function rulesByName(connection: Connection, attachment: Attachment): NftRule[] {
  const handles: bigint[] = [];
  for (let index = 0; handles.length === index; index += 2) {
    const requests = [getSet(setName(attachment, index)), getSet(setName(attachment, index + 1))];
    for (const reply of getEach(connection, requests)) {
      const handle = reply && decodeSet(reply).handle;
      if (handle !== undefined) handles.push(handle + RULE_AFTER_SET);
    }
  }
  const mark = attachmentMark(attachment);
  return rulesByHandle(connection, MASQ_CHECKS, handles).filter((rule) => rule.mark === mark);
}

/**
 * The attachment's rules, found by the names of their sets, or else by their comments. Rules of the reference have no
 * named set, and loading a saved rule set loses the names.
 */
export function rulesOf(connection: Connection, attachment: Attachment): NftRule[] {
  const named = rulesByName(connection, attachment);
  if (named.length > 0) return named;
  // The chain's use counts its rules and the goto of postrouting.
  const [checks] = findChains(connection, [MASQ_CHECKS]);
  return (checks?.use ?? 0) <= 1 ? [] : rulesMarked(connection, attachmentMark(attachment));
}

/** The rules whose comments begin with the mark of an attachment or a network, also those of the reference. */
export const rulesMarked = (connection: Connection, mark: string): NftRule[] =>
  rulesIn(connection, MASQ_CHECKS, (rule) => rule.mark?.startsWith(mark) === true, having([mark]));
