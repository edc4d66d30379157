/** Changes of nf_tables that are planned from what is there (docs/decisions/0049-calls-take-turns.md). */
import type { Connection, Request } from "../../netlink/connection.ts";
import { update as updateInTurns } from "../../netlink/nftables/batch.ts";
import { Turn } from "../../sys/netns-lock.ts";

/**
 * Plans changes and makes them, as `update` of netlink/nftables/batch.ts, in turns with other calls of this program.
 * @throws NetlinkError; what `plan` throws
 */
export function update(connection: Connection, plan: () => readonly Request[]): void {
  using turn = new Turn();
  updateInTurns(connection, plan, turn);
}
