/**
 * Routes (uapi linux/rtnetlink.h): struct rtmsg { u8 family, dst_len, src_len, tos, table, protocol, scope, type;
 * u32 flags; } and RTA_* attributes.
 */
import { type Family, formatIp, type IpAddress } from "../../net/ip.ts";
import { defaultPrefix, formatPrefix, type Prefix } from "../../net/prefix.ts";
import { Attributes, present, putNested, putRaw, putU32, type RawAttribute } from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { DecodeError } from "../error.ts";
import { flag } from "../message.ts";
import { addressFamily, familyOf, ipOf, prefixOf, putIp } from "./ip-attribute.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;

/** RT_TABLE_MAIN, RTPROT_BOOT (what `ip route add` writes), RT_SCOPE_LINK, RTN_UNICAST. */
export const MAIN_TABLE = 254;
const RTPROT_BOOT = 3;
export const SCOPE_LINK = 253;
export const RTN_UNICAST = 1;
/** RT_SCOPE_NOWHERE: in the deletion of an IPv4 route, any scope. */
const SCOPE_NOWHERE = 255;

/** A route. */
export interface Route {
  /** Length 0 is the default route. */
  dst: Prefix;
  gateway?: IpAddress;
  /** Index of the outgoing interface. */
  index?: number;
  priority?: number;
  preferredSource?: IpAddress;
  table?: number;
  /** RTPROT_*: 2 kernel, 3 boot, 4 static. */
  protocol?: number;
  /** RT_SCOPE_*: 0 universe, 253 link, 254 host. */
  scope?: number;
  /** RTN_*: 1 unicast, 2 local, 3 broadcast. */
  type?: number;
  /** RTNH_F_* bits. */
  flags?: number;
  /** Only for packets with this type of service; absent for any. */
  tos?: number;
  /** IPv6: only for packets from a network of this length, which the attributes then hold; absent for any. */
  sourceLength?: number;
  /** Bytes. */
  mtu?: number;
  /** Bytes of a TCP segment to be announced. */
  advmss?: number;
  /** Attributes that the decoder does not know. */
  unknown?: readonly RawAttribute[];
  /** The like inside RTA_METRICS. */
  unknownMetrics?: readonly RawAttribute[];
}

export function encodeRoute(route: Route): Uint8Array {
  const { family } = route.dst.address;
  const table = route.table ?? MAIN_TABLE;
  const writer = new ByteWriter();
  writer.u8(addressFamily[family]);
  writer.u8(route.dst.length);
  writer.u8(route.sourceLength ?? 0);
  writer.u8(route.tos ?? 0);
  // Tables above 255 fit only into the attribute.
  writer.u8(table < 256 ? table : 0);
  writer.u8(route.protocol ?? RTPROT_BOOT);
  writer.u8(route.scope ?? 0);
  writer.u8(route.type ?? RTN_UNICAST);
  writer.u32(route.flags ?? 0);
  if (route.dst.length > 0) putIp(writer, RTA_DST, route.dst.address);
  putIp(writer, RTA_GATEWAY, route.gateway);
  putIp(writer, RTA_PREFSRC, route.preferredSource);
  putU32(writer, RTA_OIF, route.index);
  putU32(writer, RTA_PRIORITY, route.priority);
  if (table > 255) putU32(writer, RTA_TABLE, table);
  if (route.mtu !== undefined || route.advmss !== undefined || route.unknownMetrics !== undefined) {
    putNested(writer, RTA_METRICS, (metrics) => {
      putU32(metrics, RTAX_MTU, route.mtu);
      putU32(metrics, RTAX_ADVMSS, route.advmss);
      putRaw(metrics, route.unknownMetrics);
    });
  }
  putRaw(writer, route.unknown);
  return writer.finish();
}

/** @throws DecodeError; also for a family other than IPv4 and IPv6. */
export function decodeRoute(payload: Uint8Array): Route {
  const reader = new ByteReader(payload);
  const number = reader.u8();
  const family = familyOf(number);
  if (family === undefined) throw new DecodeError(`a route of address family ${number}`);
  const [length, sourceLength, tos] = [reader.u8(), reader.u8(), reader.u8()];
  const fixed = { table: reader.u8(), protocol: reader.u8(), scope: reader.u8(), type: reader.u8() };
  const flags = reader.u32();
  const attributes = new Attributes(payload, reader.at);
  const destination = ipOf(attributes, RTA_DST, family) ?? defaultPrefix(family).address;
  const metrics = attributes.nested(RTA_METRICS);
  return {
    ...fixed,
    flags,
    dst: prefixOf(destination, length),
    table: attributes.u32(RTA_TABLE) ?? fixed.table,
    ...(tos !== 0 && { tos }),
    ...(sourceLength !== 0 && { sourceLength }),
    ...present({
      gateway: ipOf(attributes, RTA_GATEWAY, family),
      preferredSource: ipOf(attributes, RTA_PREFSRC, family),
      index: attributes.u32(RTA_OIF),
      priority: attributes.u32(RTA_PRIORITY),
      mtu: metrics?.u32(RTAX_MTU),
      advmss: metrics?.u32(RTAX_ADVMSS),
    }),
    unknown: attributes.unread(),
    ...(metrics !== undefined && { unknownMetrics: metrics.unread() }),
  };
}

/** struct rtnexthop { u16 len; u8 flags, hops; s32 ifindex; }, before the hop's attributes. */
const NEXT_HOP = 8;

/** The gateways of a route: of each hop, where it has several. @throws DecodeError */
export function gatewaysOf({ dst, gateway, unknown = [] }: Route): IpAddress[] {
  const gateways = gateway === undefined ? [] : [gateway];
  const hops = unknown.find(({ type }) => type === RTA_MULTIPATH)?.payload ?? new Uint8Array();
  for (let at = 0; at < hops.length; ) {
    const reader = new ByteReader(hops.subarray(at));
    const length = reader.u16();
    if (length < NEXT_HOP || length > hops.length - at)
      throw new DecodeError(`a next hop of ${length} bytes`);
    const hop = ipOf(new Attributes(hops, at + NEXT_HOP, at + length), RTA_GATEWAY, dst.address.family);
    if (hop !== undefined) gateways.push(hop);
    at += (length + 3) & ~3;
  }
  return gateways;
}

const described = (route: Route): string =>
  `${formatPrefix(route.dst)}${route.gateway === undefined ? "" : ` via ${formatIp(route.gateway)}`}`;

/**
 * Adds a route also where others lead to the same destination: for IPv4 it goes before them (`ip route prepend`), for
 * IPv6 beside them. EEXIST only for the very same one.
 */
export function addRoute(route: Route): Request {
  return {
    action: `add route ${described(route)}`,
    type: RTM_NEWROUTE,
    flags: flag.create,
    payload: encodeRoute(route),
  };
}

/**
 * Deletes the first route that is as the fields say; what is absent may be anything. When there is none ESRCH, and
 * ENOENT for an IPv6 default route.
 */
export function deleteRoute(route: Route): Request {
  const any = { protocol: 0, scope: route.dst.address.family === 4 ? SCOPE_NOWHERE : 0, type: 0 };
  return {
    action: `delete route ${described(route)}`,
    type: RTM_DELROUTE,
    flags: 0,
    // The kernel refuses some of the flags that it reports.
    payload: encodeRoute({ ...any, ...route, flags: 0 }),
  };
}

/**
 * Asks for the routes of a family; with `table` only those of that table: ENOENT when it was never used; with `type`
 * (RTN_*) only those of that type. Kernels before 4.20 send them all.
 */
export function dumpRoutes(
  family: Family,
  { table, type = 0 }: { table?: number | undefined; type?: number } = {},
): Request {
  const writer = new ByteWriter();
  writer.u8(addressFamily[family]);
  for (let index = 1; index < 7; index++) writer.u8(0);
  writer.u8(type);
  writer.u32(0);
  putU32(writer, RTA_TABLE, table);
  return { action: `list IPv${family} routes`, type: RTM_GETROUTE, flags: 0, payload: writer.finish() };
}
