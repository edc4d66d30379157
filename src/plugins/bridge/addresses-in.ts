/** Which addresses the interfaces of a namespace have, as the kernel reports them without that anything enters it. */
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../../netlink/rtnetlink/address.ts";

/**
 * Those of all interfaces of this namespace, or of another by its number. None for a namespace
 * that is closed, and on kernels before 4.20, which answer for another.
 */
export function addressesIn(host: Connection, netnsId?: number): { index: number; prefix: Prefix }[] {
  try {
    return host.dump(dumpAddressesIn(netnsId), ({ type, payload }) => {
      if (type !== RTM_NEWADDR) return undefined;
      const { index, prefix, targetNetnsId } = decodeAddress(payload);
      return targetNetnsId === netnsId ? { index, prefix } : undefined;
    });
  } catch (error) {
    if (isClosed(error)) return [];
    throw error;
  }
}

/**
 * Whether the kernel says nothing of a namespace: it is gone by now (EINVAL), or belongs to a user namespace above this
 * one (EACCES), such as the namespace that the uplink of an unprivileged system container leads to. No plugin could have
 * entered that, so none of our containers is there.
 */
export const isClosed = (error: unknown): boolean => refusedWith(error, "EINVAL", "EACCES");
