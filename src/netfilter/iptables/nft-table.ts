/**
 * The nat table of iptables-nft, read and written over netlink without a child process
 * (docs/decisions/0010-iptables-rules-over-netlink.md). All versions of iptables-nft read the rules as their own. The
 * mark of a rule's attachment is in its user data, which iptables does not show.
 */
import type { Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import { addChain, type Chain, deleteChain } from "../../netlink/nftables/chain.ts";
import { addRule, deleteRule, flushChain, insertRule } from "../../netlink/nftables/rule.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { text } from "../../netlink/nftables/userdata.ts";
import { attachmentMark } from "../attachment-names.ts";
import { findChains } from "../kernel.ts";
import { datumType, IPTABLES_POSTROUTING, madeHere } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { jumpsTo, rulesIn } from "../nftables/found-rules.ts";
import { deleteEmpty } from "../nftables/own-tables.ts";
import { type ChainState, type Change, chainState, type Plan } from "./chain-state.ts";

/** The container's chain; undefined if it does not exist. @throws NetlinkError */
export function readNft(connection: Connection, family: Family, chain: string): ChainState | undefined {
  const [found] = findChains(connection, [{ ...IPTABLES_POSTROUTING[family], chain }]);
  return found && stateOf(connection, family, found);
}

function stateOf(connection: Connection, family: Family, found: Chain): ChainState {
  const { chain, use = 0 } = found;
  const rules = rulesIn(connection, found);
  // Jumps that were added together with the chain have the numbers after its last rule's.
  let first = 0n;
  for (const { handle } of rules) if (handle >= first) first = handle + 1n;
  const jumps = jumpsTo(connection, IPTABLES_POSTROUTING[family], chain, use - rules.length, first);
  return chainState(chain, rules, jumps);
}

/**
 * Changes the chain in one or both families, in one transaction: each takes the kernel half a millisecond.
 * @throws NetlinkError
 */
export function updateNft(
  connection: Connection,
  chain: string,
  plans: readonly { readonly family: Family; readonly plan: Plan }[],
): void {
  let emptied: Family[] = [];
  update(connection, () => {
    emptied = [];
    const requests: Request[] = [];
    for (const { family, plan } of plans) {
      const base = IPTABLES_POSTROUTING[family];
      const { family: tableFamily, table } = base;
      const [own, postrouting] = findChains(connection, [{ family: tableFamily, table, chain }, base]);
      const changes = plan(own && stateOf(connection, family, own));
      requests.push(...requestsFor(family, chain, changes, postrouting !== undefined));
      for (const { action } of changes) if (action === "delete chain") emptied.push(family);
    }
    return requests;
  });
  for (const family of emptied) deleteEmpty(connection, IPTABLES_POSTROUTING[family]);
}

/** The messages for `changes`. They add a missing base chain, as iptables-nft does. */
export function requestsFor(
  family: Family,
  own: string,
  changes: readonly Change[],
  hasBase: boolean,
): Request[] {
  if (changes.length === 0) return [];
  const base = IPTABLES_POSTROUTING[family];
  const where = { family: base.family, table: base.table, chain: own };
  const requests = [addTable({ family: base.family, table: base.table, userData: [madeHere] })];
  // It can be missing although the container's chain exists: after a flush, a DEL removes the empty base chain.
  let needsBase = false;
  for (const change of changes) needsBase ||= "attachment" in change && !hasBase;
  if (needsBase) requests.push(addChain(base));
  for (const change of changes) {
    switch (change.action) {
      case "add chain":
        requests.push(addChain(where, { exclusive: true }));
        break;
      case "delete chain":
        // Kernels before 4.13 only delete an empty chain.
        requests.push(flushChain(where), deleteChain(where));
        break;
      case "delete": {
        const { chain, handle } = change.rule;
        if (handle !== undefined) requests.push(deleteRule({ ...where, chain, handle }));
        break;
      }
      default: {
        const { chain, rule, attachment } = change;
        const encoded = {
          family: base.family,
          table: base.table,
          chain,
          expressions: encodeRule(rule, base.family),
          userData: attachment === undefined ? [] : [text(datumType.attachment, attachmentMark(attachment))],
          compat: { protocol: 0, flags: 0 },
        };
        requests.push(change.action === "append" ? addRule(encoded) : insertRule(encoded));
      }
    }
  }
  return requests;
}
