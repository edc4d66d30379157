/**
 * The nat table of iptables-nft, read and written over netlink without a child process
 * (docs/decisions/0010-iptables-rules-over-netlink.md). All versions of iptables-nft read the rules as their own. The
 * mark of a rule's attachment is in its user data, which iptables does not show.
 */
import type { Family } from "../../net/ip.ts";
import type { Connection, Request } from "../../netlink/connection.ts";
import type { Chain } from "../../netlink/nftables/chain.ts";
import { findChains } from "../kernel.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { jumpsTo, rulesIn } from "../nftables/found-rules.ts";
import { deleteEmpty } from "../nftables/own-tables.ts";
import { update } from "../nftables/update.ts";
import { type ChainState, chainState, type Plan } from "./chain-state.ts";
import { requestsFor } from "./nft-changes.ts";

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
      const missing = postrouting === undefined ? [base] : [];
      for (const request of requestsFor(base, changes, missing)) requests.push(request);
      for (const { action } of changes) if (action === "delete chain") emptied.push(family);
    }
    return requests;
  });
  for (const family of emptied) deleteEmpty(connection, IPTABLES_POSTROUTING[family]);
}
