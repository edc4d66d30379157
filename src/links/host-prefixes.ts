/** The networks of the host's interfaces. */
import type { IpAddress } from "../net/ip.ts";
import { contains, networkOf, type Prefix } from "../net/prefix.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../netlink/rtnetlink/address.ts";
import { connect } from "./namespaces.ts";

/** The networks of the host's interfaces in which any of the addresses is. */
export function prefixesAround(addresses: readonly IpAddress[]): Prefix[] {
  if (addresses.length === 0) return [];
  using host = connect();
  return host.dump(dumpAddressesIn(), ({ type, payload }) => {
    if (type !== RTM_NEWADDR) return undefined;
    const network = networkOf(decodeAddress(payload).prefix);
    return addresses.some((address) => contains(network, address)) ? network : undefined;
  });
}
