/** Finds the interface through which the host reaches an address. */
import type { IpAddress } from "../net/ip.ts";
import type { Connection } from "../netlink/connection.ts";
import { NetlinkError, UnansweredError } from "../netlink/error.ts";
import { decodeRoute, getRoute } from "../netlink/rtnetlink/route.ts";
import { findLink } from "./link.ts";

/** Its name; undefined if no route leads to the address. @throws UnansweredError, DecodeError */
export function interfaceTo(host: Connection, address: IpAddress): string | undefined {
  try {
    const [reply] = host.get(getRoute(address));
    const index = reply && decodeRoute(reply.payload).index;
    return index === undefined ? undefined : findLink(host, { index })?.name;
  } catch (error) {
    if (error instanceof UnansweredError || !(error instanceof NetlinkError)) throw error;
    return undefined;
  }
}
