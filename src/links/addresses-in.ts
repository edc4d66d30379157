/** Which addresses the interfaces of a namespace have, as the kernel reports them without that anything enters it. */
import { formatIp } from "../net/ip.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../netlink/rtnetlink/address.ts";

/**
 * The indices of interfaces by the texts of their addresses, of this namespace or of another by its number, for what
 * `isWanted`. A container may have any number of addresses: nothing else is kept. Empty on kernels before 4.20, which answer
 * for another namespace.
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
 * What `look` finds in a namespace, or `nothing` where the kernel says nothing of it: it is gone by now (EINVAL), or belongs
 * to a user namespace above this one (EACCES), such as the namespace that the uplink of an unprivileged system container
 * leads to. No plugin could have entered that, so none of our containers is there.
 */
export function ifOpen<T>(nothing: T, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (refusedWith(error, "EINVAL", "EACCES")) return nothing;
    throw error;
  }
}
