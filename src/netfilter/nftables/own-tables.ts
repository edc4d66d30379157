/**
 * Tables and base chains that others may use too. Those that we had to make carry a mark in their user data, which no
 * tool shows; with the last rule in them they go again, so that a host without attachments is as it was. What another
 * program has made stays, empty or not (docs/decisions/0013-tables-made-here.md).
 */
import type { Connection, Request } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import { deleteChain } from "../../netlink/nftables/chain.ts";
import { decodeTable, deleteTable, getTable } from "../../netlink/nftables/table.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";
import { ask, findChains, isUnsupported } from "../kernel.ts";
import { madeHere, type OwnChain } from "./base-chains.ts";

/** Deletes a base chain that we made and that holds nothing any more, and its table likewise. @throws NetlinkError */
export function deleteEmpty(connection: Connection, base: OwnChain): void {
  const { companion, rules } = base;
  update(connection, () => {
    const [chain, other] = findChains(connection, companion === undefined ? [base] : [base, companion]);
    // The companion is used by the one rule that leads there.
    const isEmpty = chain?.use === rules && (companion === undefined || other?.use === 1);
    if (!isEmpty || !isMarked(chain)) return [];
    const [reply] = ask(connection, [getTable(base)]);
    const table = reply && decodeTable(reply);
    if (isMarked(table) && table?.use === (companion === undefined ? 1 : 2)) return [deleteTable(base)];
    return companion === undefined ? [deleteChain(base)] : [];
  });
}

const isMarked = (object: { readonly userData?: readonly UserDatum[] | undefined } | undefined): boolean =>
  object?.userData?.some(({ type }) => type === madeHere.type) ?? false;

/** Makes the deletions that `find` finds, and after the last rule deletes what we made for all. @throws NetlinkError */
export function remove(connection: Connection, base: OwnChain, find: () => readonly Request[]): void {
  let isChange = false;
  try {
    update(connection, () => {
      const requests = find();
      isChange = requests.length > 0;
      return requests;
    });
    if (isChange) deleteEmpty(connection, base);
  } catch (error) {
    // Then there are no such rules.
    if (!isUnsupported(error)) throw error;
  }
}
