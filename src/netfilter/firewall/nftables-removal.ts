import type { Connection } from "../../netlink/connection.ts";
import { update } from "../../netlink/nftables/batch.ts";
import { decodeTable, deleteTable, getTable } from "../../netlink/nftables/table.ts";
import { findChains, getEach } from "../kernel.ts";
import { isMarked } from "../nftables/own-tables.ts";
import { policyRequests, removal } from "./nftables.ts";
import { OBJECTS, TABLE } from "./own-table.ts";
import { type Recorded, readState } from "./table-state.ts";

/**
 * Removes recorded addresses, the policies of bridges that no attachment uses any more or that are gone, and with the last
 * of both the table. @throws NetlinkError
 */
export function removeNftables(
  connection: Connection,
  isRemoved: (found: Recorded) => boolean,
  exists: (bridge: string) => boolean,
): void {
  update(connection, () => {
    const state = readState(connection);
    const { entry, recorded, policies, published, adminChains } = state;
    const removed = recorded.filter(isRemoved);
    const remaining = recorded.filter((found) => !removed.includes(found));
    const requests = removal(
      removed.map(({ address }) => address),
      published,
    );
    let bridges = 0;
    for (const bridge of policies.keys()) {
      const isUsed = exists(bridge) && remaining.some(({ ingress }) => ingress?.bridge === bridge);
      if (isUsed) bridges++;
      else for (const request of policyRequests(state, { bridge, policy: "open" })) requests.push(request);
    }
    if (remaining.length + bridges > 0 || !isMarked(entry)) return requests;
    const admins = findChains(
      connection,
      adminChains.map((chain) => ({ ...TABLE, chain })),
    );
    // Used by the entry only: the administrator has no rule in it.
    const areEmpty = admins.every((chain) => chain?.use === 1 && isMarked(chain));
    const [reply] = getEach(connection, [getTable(TABLE)]);
    const table = reply && decodeTable(reply);
    const isOurs = isMarked(table) && table?.use === OBJECTS + admins.length;
    return areEmpty && isOurs ? [deleteTable(TABLE)] : requests;
  });
}
