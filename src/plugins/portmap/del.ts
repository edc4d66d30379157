/** DEL: removes the container's published ports. It needs neither mappings nor prevResult (rules M22, M41 to M44). */
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { ownHost } from "../../links/host-lock.ts";
import { FAMILIES, type IpAddress } from "../../net/ip.ts";
import { tearDown } from "../../netfilter/portmap/tear-down.ts";
import { KeyError } from "../../schema/key-error.ts";
import { containerAddresses } from "./config.ts";

export const del = (request: Request): Promise<void> => removePorts(request);

/** Also the undo of a failed ADD. @throws CniError */
export async function removePorts(request: Request): Promise<void> {
  const { isLeasedElsewhere } = await import("./leased.ts");
  const { network, ifname, log } = request;
  const previous = previousOf(request);
  const known = previous === undefined ? {} : containerAddresses(previous, ifname);
  const own = FAMILIES.flatMap((family) => known[family]?.address ?? []);
  const isOwn = (address: IpAddress): boolean =>
    own.length > 0
      ? own.some(({ family, value }) => family === address.family && value === address.value)
      : !isLeasedElsewhere(network, address);
  await tearDown(request, isOwn, { lock: () => ownHost(log), log });
}

/** A prevResult that cannot be read is as good as none. */
function previousOf({ config }: Request): Result | undefined {
  try {
    return config.prevResult;
  } catch (error) {
    if (error instanceof KeyError) return undefined;
    throw error;
  }
}
