/**
 * Transactions. nf_tables takes changes only between two bounds (NFNL_MSG_BATCH_BEGIN and _END of uapi
 * linux/netfilter/nfnetlink.h) in one datagram, and makes all of them or none.
 *
 * What a transaction costs: one that only adds is done at once. One that deletes is done at once as well, but the
 * kernel frees the objects after a grace period, and closing the socket waits for that (some 15 ms). A transaction
 * that fails waits for a grace period before its error comes. So look before you write, and close last.
 */

import { timeLeft } from "../../sys/deadline.ts";
import type { Connection, Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { refusedWith } from "../error.ts";
import { flag, type Message } from "../message.ts";
import { BE16, BE32, schema } from "../schema.ts";
import { messageType } from "./header.ts";

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_SUBSYS_NFTABLES = 10;

/** struct nfgenmsg with the subsystem that the transaction is about, and NFNL_BATCH_GENID. */
const BOUND = schema(4, [[2, "subsystem", BE16]], [[1, "generation", BE32]]);

/** NFTA_GEN_ID. */
const GENERATION = schema(4, [], [[1, "generation", BE32]], ["generation"]);

const bound = (type: number, generation?: number): Request => ({
  action: `${type === NFNL_MSG_BATCH_END ? "end" : "begin"} a transaction of nf_tables`,
  type,
  flags: 0,
  payload: encode(BOUND, { subsystem: NFNL_SUBSYS_NFTABLES, generation }),
});

/** The messages of a transaction, bounds included; the last change asks for an acknowledgement. */
export function encodeBatch(changes: readonly Request[], generation?: number, commit = true): Request[] {
  const last = changes.length - 1;
  return [
    bound(NFNL_MSG_BATCH_BEGIN, generation),
    ...changes.map((change, index) =>
      index === last ? { ...change, flags: change.flags | flag.ack } : change,
    ),
    ...(commit ? [bound(NFNL_MSG_BATCH_END)] : []),
  ];
}

/**
 * Makes all `changes` or none. With `generation` it is done only if nothing in nf_tables has changed since the
 * generation was read, else refused with ERESTART (at no cost).
 * @returns echoes, of changes with NLM_F_ECHO. @throws NetlinkError of the first change that is refused
 */
export const commit = (
  connection: Connection,
  changes: readonly Request[],
  generation?: number,
): readonly Message[] => (changes.length === 0 ? [] : connection.transact(encodeBatch(changes, generation)));

/** Lets the kernel check `changes` without making them: a batch without an end is taken back. @throws NetlinkError */
export const rehearse = (connection: Connection, changes: readonly Request[]): void =>
  void connection.transact(encodeBatch(changes, undefined, false));

/** Number of the current generation of the rule set, which each transaction of anyone advances. */
export function currentGeneration(connection: Connection): number {
  const [reply] = connection.get({
    action: "read the generation of nf_tables",
    type: messageType.getGeneration,
    flags: 0,
    payload: encode(GENERATION, {}),
  });
  return decode(GENERATION, reply?.payload ?? new Uint8Array()).generation;
}

/**
 * Times that a change is planned anew because an object was missing. The kernel counts the generation before it shows
 * it: for an instant a look sees the objects of the last one under the number of this one.
 */
const STALE_LOOKS = 3;

/**
 * Plans changes from what is there and makes them, as one step: if anything changes between the look and the
 * transaction, both are done again, until the call's deadline; each time another program has got on.
 * @param plan reads through the connection and returns the changes; no changes, no transaction.
 */
export function update(connection: Connection, plan: () => readonly Request[]): void {
  let stale = 0;
  for (;;) {
    const generation = currentGeneration(connection);
    try {
      commit(connection, plan(), generation);
      return;
    } catch (error) {
      const again = refusedWith(error, "ERESTART") || (refusedWith(error, "ENOENT") && stale++ < STALE_LOOKS);
      if (!again || timeLeft() === 0) throw error;
    }
  }
}
