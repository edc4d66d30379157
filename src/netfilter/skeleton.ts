/**
 * Tables and base chains that others may use too. Those that we had to make carry a mark in their user data, which no
 * tool shows; with the last rule in them they go again, so that a host without attachments is as it was. What someone
 * else has made stays, empty or not (docs/decisions/0013-tables-made-here.md).
 */
import type { Connection, Request } from "../netlink/connection.ts";
import { update } from "../netlink/nftables/batch.ts";
import { type ChainName, decodeChain, deleteChain, getChain } from "../netlink/nftables/chain.ts";
import { decodeTable, deleteTable, getTable } from "../netlink/nftables/table.ts";
import type { UserDatum } from "../netlink/nftables/userdata.ts";
import { ask } from "./kernel.ts";

/**
 * Types of user data of our own. nft and iptables use low numbers and skip what they do not know. `interface` is what
 * earlier versions wrote in the place of `attachment`.
 */
export const datumType = { interface: 200, madeHere: 201, attachment: 202 } as const;

/** The mark. */
export const madeHere: UserDatum = { type: datumType.madeHere, value: Uint8Array.of(1) };

const isMarked = (object: { readonly userData?: readonly UserDatum[] } | undefined): boolean =>
  object?.userData?.some(({ type }) => type === datumType.madeHere) ?? false;

/**
 * Deletes a base chain that we made and that holds nothing any more, and its table likewise.
 * @param companions chains that go with the base chain, and the rules that the base chain has even when it is empty.
 * @throws NetlinkError
 */
export function deleteEmpty(
  connection: Connection,
  base: ChainName,
  companions: { readonly chains: readonly ChainName[]; readonly rules: number } = { chains: [], rules: 0 },
): void {
  update(connection, () => plan(connection, base, companions));
}

function plan(
  connection: Connection,
  base: ChainName,
  { chains, rules }: { readonly chains: readonly ChainName[]; readonly rules: number },
): Request[] {
  const [tables, ...found] = ask(connection, [getTable(base), getChain(base), ...chains.map(getChain)]);
  const [table] = (tables ?? []).map((reply) => decodeTable(reply));
  const [chain, ...others] = found.map(([reply]) => reply && decodeChain(reply));
  // Each companion is used by the one rule that leads there.
  const empty = chain?.use === rules && others.every((other) => other?.use === 1);
  if (!empty || !isMarked(chain)) return [];
  if (isMarked(table) && table?.use === 1 + chains.length) return [deleteTable(base)];
  return chains.length === 0 ? [deleteChain(base)] : [];
}
