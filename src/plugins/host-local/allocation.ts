/** How one range set gives an address to an attachment (rules H46–H48, L11). */
import { toCniError } from "../../cni/error.ts";
import type { IpConfig } from "../../cni/result.ts";
import { intervalOf } from "../../net/interval.ts";
import type { IpAddress } from "../../net/ip.ts";
import { searchOrder } from "./allocator.ts";
import type { Demand } from "./demand.ts";
import { formatSet } from "./range.ts";

/** The address that the set gives; its lease is in the directory, not yet durable. @throws CniError */
export async function allocate(demand: Demand): Promise<IpConfig> {
  const { store, held, set, index, requested, lease } = demand;
  let address: IpAddress | undefined;
  let isReturned = false;
  if (requested === undefined && held.length === 0)
    address = store.allocate(lease, searchOrder(set, store.files.readHint(index)));
  if (address === undefined) {
    const { allocateOtherwise } = await import("./reallocation.ts");
    ({ address, isReturned } = await allocateOtherwise(demand));
  }
  if (!isReturned) {
    try {
      store.writeHint(index, address);
    } catch (error) {
      // The order of addresses changes, nothing else (rule L3).
      store.files.log(`host-local: cannot note the last reserved address: ${toCniError(error).message}`);
    }
  }
  const range = intervalOf(set.ranges, address);
  if (range === undefined) throw new Error(`an address outside of ${formatSet(set)} was allocated`);
  return { address: { address, length: range.subnet.length }, gateway: range.gateway };
}
