/**
 * Tables and base chains that others may use too. Those that we had to make carry a mark in their user data, which no
 * tool shows; with the last rule in them they go again, so that a host without attachments is as it was. What another
 * program has made stays, empty or not (docs/decisions/0013-tables-made-here.md).
 */
import type { Connection, Request } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import { deleteChain } from "../../netlink/nftables/chain.ts";
import { deleteRule } from "../../netlink/nftables/rule.ts";
import { decodeTable, deleteTable, getTable } from "../../netlink/nftables/table.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";
import { datumType, type OwnChain } from "./base-chains.ts";
import type { NftRule } from "./found-rules.ts";
import { ask, findChains, isUnsupported } from "./kernel.ts";

const isMarked = (object: { readonly userData?: readonly UserDatum[] } | undefined): boolean =>
  object?.userData?.some(({ type }) => type === datumType.madeHere) ?? false;

/** Deletes a base chain that we made and that holds nothing any more, and its table likewise. @throws NetlinkError */
export function deleteEmpty(connection: Connection, base: OwnChain): void {
  update(connection, () => {
    const [chain, ...others] = findChains(connection, [base, ...base.companions]);
    // Each companion is used by the one rule that leads there.
    const isEmpty = chain?.use === base.rules && others.every((other) => other?.use === 1);
    if (!isEmpty || !isMarked(chain)) return [];
    const [reply] = ask(connection, [getTable(base)]);
    const table = reply && decodeTable(reply);
    if (isMarked(table) && table?.use === 1 + base.companions.length) return [deleteTable(base)];
    return base.companions.length === 0 ? [deleteChain(base)] : [];
  });
}

/**
 * Deletes what `find` finds, as one transaction, and after the last rule what we made for all of them.
 * @param find gives requests, or rules to delete. @throws NetlinkError
 */
export function remove(
  connection: Connection,
  base: OwnChain,
  find: () => readonly (Request | NftRule)[],
): void {
  let found = 0;
  try {
    update(connection, () => {
      const requests = find().map((each) => ("handle" in each ? deleteRule(each) : each));
      found = requests.length;
      return requests;
    });
    if (found > 0) deleteEmpty(connection, base);
  } catch (error) {
    // Then there are no such rules.
    if (!isUnsupported(error)) throw error;
  }
}
