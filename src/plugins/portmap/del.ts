/** DEL: removes the container's published ports. It needs neither mappings nor prevResult (rules M22, M41 to M44). */
import { CniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Result } from "../../cni/result.ts";
import { ownHost } from "../../links/host-lock.ts";
import { FAMILIES, type IpAddress } from "../../net/ip.ts";
import { tearDown } from "../../netfilter/portmap/tear-down.ts";
import type { Endpoint } from "../../netfilter/rule.ts";
import { KeyError } from "../../schema/key-error.ts";
import { containerAddresses, parsePortmapConfig } from "./config.ts";

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
  await tearDown(request, isOwn, { lock: () => ownHost(log), log }, publishedUdp(request, own));
}

/** The container's UDP ports, as far as the runtime tells of them: DEL needs no valid mappings (rule M50). */
function publishedUdp(request: Request, addresses: readonly IpAddress[]): Endpoint[] {
  if (addresses.length === 0) return [];
  try {
    const udp = parsePortmapConfig(request).mappings.filter(({ protocol }) => protocol === "udp");
    return udp.flatMap(({ containerPort: port }) => addresses.map((address) => ({ address, port })));
  } catch (error) {
    if (error instanceof KeyError || error instanceof CniError) return [];
    throw error;
  }
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
