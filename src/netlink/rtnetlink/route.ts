/** Schema and requests of routes: struct rtmsg, RTA_* and RTAX_* of uapi linux/rtnetlink.h. */
import { bits, type Family, formatIp, type IpAddress } from "../../net/ip.ts";
import { defaultPrefix, formatPrefix, type Prefix } from "../../net/prefix.ts";
import { padded } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { DecodeError } from "../error.ts";
import { addressFamily, checkFamilies, IP, prefixOf } from "../ip-attribute.ts";
import { flag } from "../message.ts";
import { BYTES, CUSTOM, type Fields, INLINE, nest, schema, U8, U32 } from "../schema.ts";

const RTM_NEWROUTE = 24;
export const RTM_GETROUTE = 26;

/** RT_TABLE_MAIN, RTPROT_BOOT (what `ip route add` writes), RT_SCOPE_LINK, RTN_UNICAST. */
export const MAIN_TABLE = 254;
const RTPROT_BOOT = 3;
export const SCOPE_LINK = 253;
export const RTN_UNICAST = 1;

export const ROUTE = schema(
  12,
  [
    [0, "family", U8],
    [1, "length", U8],
    // IPv6: only for packets from a network of this length, which is in the attributes; 0 for any.
    [2, "sourceLength", U8],
    // Only for packets with this type of service; 0 for any.
    [3, "tos", U8],
    [4, "shortTable", U8],
    // RTPROT_*: 2 kernel, 3 boot, 4 static.
    [5, "protocol", U8],
    // RT_SCOPE_*: 0 universe, 253 link, 254 host.
    [6, "scope", U8],
    // RTN_*: 1 unicast, 2 local, 3 broadcast.
    [7, "type", U8],
    // RTNH_F_* bits.
    [8, "flags", U32],
  ],
  [
    [1, "destination", CUSTOM, IP],
    [5, "gateway", CUSTOM, IP],
    [7, "preferredSource", CUSTOM, IP],
    // Index of the outgoing interface.
    [4, "index", U32],
    [6, "priority", U32],
    [15, "longTable", U32],
    // RTA_METRICS.
    [
      8,
      "unknownMetrics",
      INLINE,
      nest([
        // Largest packet, and largest TCP segment to be advertised, in bytes.
        [2, "mtu", U32],
        [8, "advmss", U32],
      ]),
    ],
    // Several next hops, one after the other.
    [9, "multipath", BYTES],
  ],
);

type Attributes = Fields<typeof ROUTE>;

export interface Route
  extends Omit<Attributes, "family" | "length" | "shortTable" | "longTable" | "destination"> {
  /** Length 0 is the default route. */
  dst: Prefix;
  table?: number | undefined;
}

export function encodeRoute(route: Route): Uint8Array {
  const { dst, table = MAIN_TABLE, protocol = RTPROT_BOOT, type = RTN_UNICAST } = route;
  return encode(ROUTE, {
    ...route,
    family: addressFamily[dst.address.family],
    length: dst.length,
    // Numbers of tables above 255 fit only into the attribute.
    shortTable: table > 255 ? 0 : table,
    longTable: table > 255 ? table : undefined,
    protocol,
    type,
    destination: dst.length > 0 ? dst.address : undefined,
  });
}

/** @throws DecodeError; also for a family other than IPv4 and IPv6. */
export function decodeRoute(payload: Uint8Array): Route {
  const found = decode(ROUTE, payload);
  const { destination, gateway, preferredSource } = found;
  const family = checkFamilies(found.family, "a route", destination, gateway, preferredSource);
  const route: Route = found as typeof found & { dst: Prefix };
  route.dst = prefixOf(destination ?? defaultPrefix(family).address, found.length);
  route.table = found.longTable ?? found.shortTable;
  return route;
}

/** struct rtnexthop { u16 len; u8 flags, hops; s32 ifindex; }, before the hop's attributes. */
const HOP = schema(8, [], [[5, "gateway", CUSTOM, IP]]);

/** The gateways of a route, one for each next hop that has one. @throws DecodeError */
export function gatewaysOf({ dst, gateway, multipath }: Route): IpAddress[] {
  const gateways = gateway === undefined ? [] : [gateway];
  const hops = multipath ?? new Uint8Array();
  for (let at = 0; at < hops.length; ) {
    const length = (hops[at] ?? 0) | ((hops[at + 1] ?? 0) << 8);
    if (length < HOP.size || length > hops.length - at)
      throw new DecodeError(`a next hop of ${length} bytes`);
    const hop = decode(HOP, hops.slice(at, at + length)).gateway;
    checkFamilies(addressFamily[dst.address.family], "a next hop", hop);
    if (hop !== undefined) gateways.push(hop);
    at += padded(length);
  }
  return gateways;
}

/**
 * Adds a route, even if others have the same destination: before them for IPv4 (`ip route prepend`), beside them for IPv6.
 * EEXIST only if exactly this route exists.
 */
export const addRoute = (route: Route): Request => ({
  action: `add route ${formatPrefix(route.dst)}${route.gateway === undefined ? "" : ` via ${formatIp(route.gateway)}`}`,
  type: RTM_NEWROUTE,
  flags: flag.create,
  payload: encodeRoute(route),
});

/**
 * Lists the routes of a family: only those of `table` (ENOENT when it was never used) and of `type` (RTN_*), if given.
 * Kernels before 4.20 list all.
 */
export const dumpRoutes = (
  family: Family,
  { table, type }: { table?: number | undefined; type?: number } = {},
): Request => ({
  action: `list IPv${family} routes`,
  type: RTM_GETROUTE,
  flags: 0,
  payload: encode(ROUTE, { family: addressFamily[family], longTable: table, type }),
});

/** Gets the route that a packet to an address takes; ENETUNREACH and the like when there is none. */
export const getRoute = (address: IpAddress): Request => ({
  action: `find the route to ${formatIp(address)}`,
  type: RTM_GETROUTE,
  flags: 0,
  payload: encode(ROUTE, {
    family: addressFamily[address.family],
    length: bits(address.family),
    destination: address,
  }),
});
