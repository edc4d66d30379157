/**
 * Transactions of nf_tables. One datagram has all changes between two bounds (NFNL_MSG_BATCH_BEGIN and _END of uapi
 * linux/netfilter/nfnetlink.h), and the kernel makes all of them or none.
 *
 * The cost: the kernel answers a successful transaction at once. After a deletion it frees the objects when a grace period
 * is over, and closing the socket waits for that (some 15 ms). The error of a failed transaction also arrives only after a
 * grace period. So read before you write, and close the socket last.
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

/** The messages of a transaction, bounds included. The last change requests an acknowledgement. */
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
 * Makes all `changes` or none. If nf_tables has changed since `generation` was read, the kernel refuses them with ERESTART
 * (at no cost).
 * @returns the echoes of changes with NLM_F_ECHO. @throws NetlinkError of the first change that is refused
 */
export const commit = (
  connection: Connection,
  changes: readonly Request[],
  generation?: number,
): readonly Message[] => (changes.length === 0 ? [] : connection.transact(encodeBatch(changes, generation)));

/** Lets the kernel check `changes` without making them: it aborts a batch without an end. @throws NetlinkError */
export const rehearse = (connection: Connection, changes: readonly Request[]): void =>
  void connection.transact(encodeBatch(changes, undefined, false));

/** The generation of the rule set, a number that every transaction of any program increases. */
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
 * How often a change is planned again because an object was missing. The kernel increases the generation's number shortly
 * before the new objects are visible.
 */
const STALE_LOOKS = 3;
/** How often another change may be faster until the calls take turns. */
const PATIENCE = 3;

/** Of calls that change the same rule set, one changes it, and the others wait. */
export interface Turns {
  /** Waits for the turn of this call if it needs one, or if others take turns; does nothing if it has its turn already. */
  take(isNeeded: boolean): void;
}

/**
 * Plans changes from the present state and makes them. If another program changes anything in between, both steps are
 * repeated, until the call's deadline.
 * @param plan reads through the connection and returns the changes. Without changes there is no transaction, but the plan
 * is repeated too if something changed while it read: it may have seen one half before and the other half after that.
 */
export function update(connection: Connection, plan: () => readonly Request[], turns: Turns): void {
  let stale = 0;
  for (let lost = 0; ; lost++) {
    turns.take(lost >= PATIENCE);
    const generation = currentGeneration(connection);
    try {
      const changes = plan();
      commit(connection, changes, generation);
      if (changes.length > 0 || currentGeneration(connection) === generation || timeLeft() === 0) return;
    } catch (error) {
      const again = refusedWith(error, "ERESTART") || (refusedWith(error, "ENOENT") && stale++ < STALE_LOOKS);
      if (!again || timeLeft() === 0) throw error;
    }
  }
}
