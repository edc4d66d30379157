/** Which addresses a removal may touch, where rules do not name their attachment (rule F30). */

import { toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { LeaseHolders } from "../../leases/holders.ts";
import type { IpAddress } from "../../net/ip.ts";

/** The previous result of a DEL. One that cannot be read is as good as none. */
export function previousOf({ config, log }: Request): Result | undefined {
  try {
    return config.prevResult;
  } catch (error) {
    log(`not using prevResult: ${toCniError(error).message}`);
    return undefined;
  }
}

/**
 * The addresses of a DEL: those of the previous result, or else those that the attachment's leases hold; without those that
 * another container has now.
 */
export function addressesOf(request: Request, previous: Result | undefined): IpAddress[] {
  const { containerId } = request;
  const holders = new LeaseHolders();
  const addresses = previous?.ips.map(({ address: { address } }) => address) ?? holders.addressesOf(request);
  return addresses.filter((address) =>
    holders.holdersOf(address).every((holder) => holder.containerId === containerId),
  );
}
