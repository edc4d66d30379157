/** Reads the addresses of the interfaces of a namespace without entering it. */
import { formatIp } from "../net/ip.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../netlink/rtnetlink/address.ts";

/**
 * Indices of interfaces by the text of their address, in this namespace or in the one with the number `netnsId`. Only
 * what `isWanted` is kept, for a container may have any number of addresses. Kernels before 4.20 answer for this namespace
 * instead of the other one: then the map is empty.
 */
export const addressesIn = (
  host: Connection,
  isWanted: (text: string, index: number) => boolean,
  netnsId?: number,
): ReadonlyMap<string, number> =>
  ifOpen(new Map(), () =>
    host.fold(
      dumpAddressesIn(netnsId),
      () => new Map<string, number>(),
      (found, { type, payload }) => {
        if (type !== RTM_NEWADDR) return;
        const { index, prefix, targetNetnsId } = decodeAddress(payload);
        const text = formatIp(prefix.address);
        if (targetNetnsId === netnsId && isWanted(text, index)) found.set(text, index);
      },
    ),
  );

/**
 * Returns what `look` finds in a namespace, or `nothing` if the namespace is gone (EINVAL) or belongs to a user namespace
 * above this one (EACCES), as at the other end of an unprivileged system container's uplink. No plugin could have entered
 * such a namespace, so no container of ours is in it.
 */
export function ifOpen<T>(nothing: T, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (refusedWith(error, "EINVAL", "EACCES")) return nothing;
    throw error;
  }
}
