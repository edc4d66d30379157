import type { Connection } from "../../netlink/connection.ts";
import { decodeTable, deleteTable, getTable } from "../../netlink/nftables/table.ts";
import { findChains, getEach } from "../kernel.ts";
import { containsAny, partBytes, type RuleSieve } from "../nftables/found-rules.ts";
import { isMarked } from "../nftables/own-tables.ts";
import { update } from "../nftables/update.ts";
import { policyRequests, removal } from "./nftables.ts";
import { OBJECTS, TABLE } from "./own-table.ts";
import type { Bridges } from "./plan.ts";
import { FirstRecords } from "./state.ts";
import { isOn, type Recorded, readState, recordedIn, wasLoaded } from "./table-state.ts";

/**
 * Selects the addresses of an attachment, and of the others one at least and one for each bridge that they use: they show what
 * has to stay.
 */
function leaving(mark: string, bridges: readonly string[]): () => RuleSieve {
  const own = [partBytes(mark)];
  return () => {
    let hasOther = false;
    const first = new FirstRecords(bridges);
    return {
      datagram: (bytes) => !hasOther || containsAny(bytes, own) || first.mayBeIn(bytes),
      message: (bytes) => {
        if (containsAny(bytes, own)) return true;
        const isFirst = !hasOther;
        hasOther = true;
        return first.take(bytes) || isFirst;
      },
    };
  };
}

/**
 * Removes recorded addresses, the policies of bridges that no attachment uses any more or that are gone, and with the last
 * of both the table.
 * @param mark that of all removed addresses, if they are of one attachment. @throws NetlinkError
 */
export function removeNftables(
  connection: Connection,
  isRemoved: (found: Recorded) => boolean,
  bridges: Bridges,
  mark?: string,
): void {
  update(connection, () => {
    const state = readState(connection);
    const { entry, policies, adminChains } = state;
    const isLoaded = wasLoaded(state);
    const wanted = mark === undefined || isLoaded ? undefined : leaving(mark, [...policies.keys()]);
    const recorded = recordedIn(connection, wanted);
    const removed = recorded.filter(isRemoved);
    const remaining = recorded.filter((found) => !removed.includes(found));
    const requests = removal(connection, removed);
    let used = 0;
    for (const bridge of policies.keys()) {
      const isUsed =
        bridges.exists(bridge) && remaining.some((found) => isOn(found, bridge, isLoaded, bridges));
      if (isUsed) used++;
      else for (const request of policyRequests(state, { bridge, policy: "open" })) requests.push(request);
    }
    if (remaining.length + used > 0 || !isMarked(entry)) return requests;
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
