/**
 * Removes our own tables and base chains, which other programs may use too. They have a mark in their user data, which
 * no tool shows. They are removed with their last rule, so that a host without attachments is as before. Tables of
 * other programs stay, even if they are empty (docs/decisions/0013-tables-made-here.md).
 */
import type { Connection, Request } from "../../netlink/connection.ts";
import { deleteChain } from "../../netlink/nftables/chain.ts";
import { decodeTable, deleteTable, getTable } from "../../netlink/nftables/table.ts";
import type { UserDatum } from "../../netlink/nftables/userdata.ts";
import { findChains, getEach, isUnsupported } from "../kernel.ts";
import { madeHere, type OwnChain } from "./base-chains.ts";
import { update } from "./update.ts";

/** Deletes a base chain of our own if it is empty, and then its table if that is empty too. @throws NetlinkError */
export function deleteEmpty(connection: Connection, base: OwnChain): void {
  const { companion, rules } = base;
  update(connection, () => {
    const [chain, other] = findChains(connection, companion === undefined ? [base] : [base, companion]);
    // Only the goto to the companion uses it.
    const isEmpty = chain?.use === rules && (companion === undefined || other?.use === 1);
    // An administrator may have given it another policy.
    const isUnchanged = chain?.base?.policy === base.base?.policy;
    if (!isEmpty || !isUnchanged || !isMarked(chain)) return [];
    const [reply] = getEach(connection, [getTable(base)]);
    const table = reply && decodeTable(reply);
    if (isMarked(table) && table?.use === (companion === undefined ? 1 : 2)) return [deleteTable(base)];
    return companion === undefined ? [deleteChain(base)] : [];
  });
}

/**
 * The deletion of a base chain of our own and of its table, for a transaction that deletes `rules` rules of the chain and
 * `chains` other chains of the table: none unless that leaves them empty. @throws NetlinkError
 */
export function emptied(
  connection: Connection,
  base: OwnChain,
  deleted: { readonly rules: number; readonly chains: number },
): Request[] {
  const [chain] = findChains(connection, [base]);
  const isUnchanged = chain?.base?.policy === base.base?.policy;
  if (chain?.use !== deleted.rules || !isUnchanged || !isMarked(chain)) return [];
  const [reply] = getEach(connection, [getTable(base)]);
  const table = reply && decodeTable(reply);
  const isLast = isMarked(table) && table?.use === deleted.chains + 1;
  return [isLast ? deleteTable(base) : deleteChain(base)];
}

/** Whether this program created a table or chain. */
export const isMarked = (
  object: { readonly userData?: readonly UserDatum[] | undefined } | undefined,
): boolean => object?.userData?.some(({ type }) => type === madeHere.type) ?? false;

/** Makes the deletions that `find` returns, and with the last rule deletes our own tables. @throws NetlinkError */
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
    // A kernel without nf_tables for the family has no such rules.
    if (!isUnsupported(error)) throw error;
  }
}
