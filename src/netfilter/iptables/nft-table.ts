/**
 * The nat table of iptables-nft, read and written over netlink without a child process
 * (docs/decisions/0010-iptables-rules-over-netlink.md). The rules have the form that all versions of iptables-nft
 * read as their own; the attachment that a rule was added for stands in its user data, which iptables does not show.
 */
import type { Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import { addChain, type Chain, type ChainName, deleteChain } from "../../netlink/nftables/chain.ts";
import { addRule, deleteRule, flushChain, insertRule } from "../../netlink/nftables/rule.ts";
import { addTable } from "../../netlink/nftables/table.ts";
import { text } from "../../netlink/nftables/userdata.ts";
import { attachmentMark, networkMark, parseIptablesComment } from "../attachment-names.ts";
import { datumType, madeHere, type OwnChain, postroutingOf } from "../nftables/base-chains.ts";
import { encodeRule } from "../nftables/expressions.ts";
import { jumpsTo, type NftRule, rulesIn } from "../nftables/found-rules.ts";
import { findChains } from "../nftables/kernel.ts";
import { deleteEmpty } from "../nftables/own-tables.ts";
import { type ChainState, type Change, chainState, type Plan } from "./chain-state.ts";

const baseOf = (family: Family): OwnChain => postroutingOf(family === 4 ? "ip" : "ip6");

/** The container's chain. @throws NetlinkError */
export function readNft(connection: Connection, family: Family, chain: string): ChainState | undefined {
  const base = baseOf(family);
  return stateOf(connection, base, findChains(connection, [{ ...base, chain }])[0]);
}

function stateOf(connection: Connection, base: OwnChain, found: Chain | undefined): ChainState | undefined {
  if (found === undefined) return undefined;
  const { chain, use = 0 } = found;
  const rules = rulesIn(connection, found);
  // Those that came with the chain have the numbers behind its last rule's.
  const last = rules.reduce((highest, { handle }) => (handle > highest ? handle : highest), -1n);
  return chainState(chain, rules, jumpsTo(connection, base, chain, use - rules.length, last + 1n));
}

/**
 * Changes the chain in the tables of one or both families, in one transaction: each costs the kernel half a millisecond.
 * @throws NetlinkError
 */
export function updateNft(
  connection: Connection,
  chain: string,
  plans: readonly { readonly family: Family; readonly plan: Plan }[],
): void {
  let emptied: OwnChain[] = [];
  update(connection, () => {
    emptied = [];
    const requests: Request[] = [];
    for (const { family, plan } of plans) {
      const base = baseOf(family);
      const [own, postrouting] = findChains(connection, [{ ...base, chain }, base]);
      const changes = plan(stateOf(connection, base, own));
      requests.push(...requestsFor(base, chain, changes, postrouting === undefined));
      if (changes.some(({ action }) => action === "delete chain")) emptied.push(base);
    }
    return requests;
  });
  for (const base of emptied) deleteEmpty(connection, base);
}

/** The messages that make `changes`; the base chain is added where it is missing, as iptables-nft does. */
export function requestsFor(
  base: OwnChain,
  chain: string,
  changes: readonly Change[],
  lacksBase: boolean,
): Request[] {
  if (changes.length === 0) return [];
  const { family, table } = base;
  const own: ChainName = { family, table, chain };
  const requests = [addTable({ family, table, userData: [madeHere] })];
  // Even where the container's chain stands: when all rules were flushed, the next DEL takes the empty base chain.
  if (lacksBase && changes.some((change) => "attachment" in change)) requests.push(addChain(base));
  for (const change of changes) {
    switch (change.action) {
      case "add chain":
        requests.push(addChain(own, { exclusive: true }));
        break;
      case "delete chain":
        // Kernels before 4.13 delete only an empty chain.
        requests.push(flushChain(own), deleteChain(own));
        break;
      case "delete": {
        const { chain, handle } = change.rule;
        if (handle !== undefined) requests.push(deleteRule({ family, table, chain, handle }));
        break;
      }
      default: {
        const { attachment } = change;
        const encoded = {
          family,
          table,
          chain: change.chain,
          expressions: encodeRule(change.rule, family),
          userData: attachment === undefined ? [] : [text(datumType.attachment, attachmentMark(attachment))],
          compat: { protocol: 0, flags: 0 },
        };
        requests.push(change.action === "append" ? addRule(encoded) : insertRule(encoded));
      }
    }
  }
  return requests;
}

/** The rules of a network. @throws NetlinkError */
export function networkRulesNft(connection: Connection, family: Family, network: string): NftRule[] {
  const mark = networkMark(network);
  const { family: tableFamily, table } = baseOf(family);
  return rulesIn(
    connection,
    { family: tableFamily, table },
    (found) =>
      parseIptablesComment(found.rule?.comment)?.network === network || found.mark?.startsWith(mark) === true,
    [`name: "${network}"`, mark],
  );
}
