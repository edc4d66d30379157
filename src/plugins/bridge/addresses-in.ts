/** Which addresses the interfaces of a namespace have, as the kernel reports them without that anything enters it. */
import { formatIp } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../../netlink/rtnetlink/address.ts";

/**
 * The interfaces that have wanted addresses, of this namespace or of another by its number, by what `keyOf` makes of an
 * address's text and an interface's index; undefined for what is not wanted. A container may have any number of
 * addresses: nothing else is kept. Empty for a namespace that is closed, and on kernels before 4.20, which answer for
 * another.
 */
export function addressesIn(
  host: Connection,
  keyOf: (text: string, index: number) => string | undefined,
  netnsId?: number,
): ReadonlyMap<string, number> {
  const begin = () => new Map<string, number>();
  try {
    return host.fold(dumpAddressesIn(netnsId), begin, (found, { type, payload }) => {
      if (type !== RTM_NEWADDR) return;
      const { index, prefix, targetNetnsId } = decodeAddress(payload);
      const key = targetNetnsId === netnsId ? keyOf(formatIp(prefix.address), index) : undefined;
      if (key !== undefined) found.set(key, index);
    });
  } catch (error) {
    if (isClosed(error)) return new Map();
    throw error;
  }
}

/**
 * Whether the kernel says nothing of a namespace: it is gone by now (EINVAL), or belongs to a user namespace above this
 * one (EACCES), such as the namespace that the uplink of an unprivileged system container leads to. No plugin could have
 * entered that, so none of our containers is there.
 */
export const isClosed = (error: unknown): boolean => refusedWith(error, "EINVAL", "EACCES");
