/**
 * Links (uapi linux/if_link.h, linux/rtnetlink.h): struct ifinfomsg { u8 family; u8 pad; u16 type; i32 index;
 * u32 flags; u32 change; } and IFLA_* attributes.
 */
// Long because: a link has the most attributes of all objects, and encoding stands beside decoding.
import {
  Attributes,
  NLA_F_NESTED,
  present,
  putBytes,
  putI32,
  putNested,
  putRaw,
  putString,
  putText,
  putU8,
  putU32,
  type RawAttribute,
} from "../attribute.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { flag, type Message } from "../message.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
/** RTM_SETLINK: what bridge port and VLAN changes of family AF_BRIDGE use. */
export const RTM_SETLINK = 19;

export const AF_UNSPEC = 0;
export const AF_BRIDGE = 7;

/** RTMGRP_LINK, for a socket's `groups`: links and bridge ports come, go and change. */
export const LINK_EVENTS = 0x1;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
export const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
export const IFLA_EXT_MASK = 29;
const IFLA_PROMISCUITY = 30;
const IFLA_LINK_NETNSID = 37;
const IFLA_TARGET_NETNSID = 46;

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;

/** IFF_* of uapi linux/if.h. */
export const interfaceFlag = {
  up: 0x1,
  loopback: 0x8,
  running: 0x40,
  promisc: 0x100,
  lowerUp: 0x10000,
} as const;

/** IF_OPER_* of uapi linux/if.h by number. */
export const OPERSTATES = [
  "unknown",
  "notpresent",
  "down",
  "lower-layer-down",
  "testing",
  "dormant",
  "up",
] as const;

/** A link, decoded or to be encoded. A field that is undefined writes no attribute. */
export interface Link {
  family?: number;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  hardwareType?: number;
  index?: number;
  /** IFF_* bits; in a request only those in `change` count. */
  flags?: number;
  change?: number;
  name?: string;
  mac?: Uint8Array;
  mtu?: number;
  /** IFLA_LINK: for a veth, the peer's index in the peer's namespace. */
  peerIndex?: number;
  /** Index of the bridge; 0 in a request takes the port out. */
  master?: number;
  /** Index into OPERSTATES. */
  operstate?: number;
  alias?: string;
  /** Number of times that promiscuity was asked for. */
  promiscuity?: number;
  /** Descriptor of the namespace where the link is to be created. */
  netnsFd?: number;
  /** The kernel's number for the peer's namespace, -1 for none; absent when it is this one. */
  linkNetnsId?: number;
  /** The kernel's number for the namespace that a question is about, in its answer too (Linux 5.0 and later). */
  targetNetnsId?: number;
  /** "bridge", "veth", … */
  kind?: string;
  /** IFLA_INFO_DATA: attributes of the kind; bridge.ts and veth.ts read and write it. */
  data?: Uint8Array;
  /** Kind of the master, "bridge" for a bridge port. */
  portKind?: string;
  /** IFLA_INFO_SLAVE_DATA: attributes of the port; bridge-port.ts reads and writes it. */
  portData?: Uint8Array;
  /** IFLA_PROTINFO: in messages of family AF_BRIDGE, what `portData` is in others. */
  bridgePort?: Uint8Array;
  /** Attributes that the decoder does not know. */
  unknown?: readonly RawAttribute[];
  /** The like inside IFLA_LINKINFO. */
  unknownInfo?: readonly RawAttribute[] | undefined;
}

export function encodeLink(link: Link): Uint8Array {
  const writer = new ByteWriter();
  putLink(writer, link);
  return writer.finish();
}

/** Appends struct ifinfomsg and the attributes; a veth's peer is nested in this form as well. */
export function putLink(writer: ByteWriter, link: Link): void {
  writer.u8(link.family ?? AF_UNSPEC);
  writer.u8(0);
  writer.u16(link.hardwareType ?? 0);
  writer.i32(link.index ?? 0);
  writer.u32(link.flags ?? 0);
  writer.u32(link.change ?? 0);
  putString(writer, IFLA_IFNAME, link.name);
  putBytes(writer, IFLA_ADDRESS, link.mac);
  putU32(writer, IFLA_MTU, link.mtu);
  putU32(writer, IFLA_LINK, link.peerIndex);
  putU32(writer, IFLA_MASTER, link.master);
  putU8(writer, IFLA_OPERSTATE, link.operstate);
  putText(writer, IFLA_IFALIAS, link.alias);
  putU32(writer, IFLA_PROMISCUITY, link.promiscuity);
  putU32(writer, IFLA_NET_NS_FD, link.netnsFd);
  putI32(writer, IFLA_LINK_NETNSID, link.linkNetnsId);
  putI32(writer, IFLA_TARGET_NETNSID, link.targetNetnsId);
  putContainer(writer, IFLA_PROTINFO, link.bridgePort);
  if (link.kind !== undefined || link.portKind !== undefined || link.unknownInfo !== undefined) {
    putNested(writer, IFLA_LINKINFO, (info) => {
      putText(info, IFLA_INFO_KIND, link.kind);
      putContainer(info, IFLA_INFO_DATA, link.data);
      putText(info, IFLA_INFO_SLAVE_KIND, link.portKind);
      putContainer(info, IFLA_INFO_SLAVE_DATA, link.portData);
      putRaw(info, link.unknownInfo);
    });
  }
  putRaw(writer, link.unknown);
}

/** An attribute that holds attributes which are encoded already. */
function putContainer(writer: ByteWriter, type: number, attributes: Uint8Array | undefined): void {
  putBytes(writer, type | NLA_F_NESTED, attributes);
}

/** @throws DecodeError */
export function decodeLink(payload: Uint8Array): Link {
  const reader = new ByteReader(payload);
  const family = reader.u8();
  reader.skip(1);
  const fixed = {
    family,
    hardwareType: reader.u16(),
    index: reader.i32(),
    flags: reader.u32(),
    change: reader.u32(),
  };
  const attributes = new Attributes(payload, reader.at);
  const info = attributes.nested(IFLA_LINKINFO);
  return {
    ...fixed,
    ...present({
      name: attributes.string(IFLA_IFNAME),
      mac: attributes.bytes(IFLA_ADDRESS),
      mtu: attributes.u32(IFLA_MTU),
      peerIndex: attributes.u32(IFLA_LINK),
      master: attributes.u32(IFLA_MASTER),
      operstate: attributes.u8(IFLA_OPERSTATE),
      alias: attributes.string(IFLA_IFALIAS),
      promiscuity: attributes.u32(IFLA_PROMISCUITY),
      netnsFd: attributes.u32(IFLA_NET_NS_FD),
      linkNetnsId: attributes.i32(IFLA_LINK_NETNSID),
      targetNetnsId: attributes.i32(IFLA_TARGET_NETNSID),
      kind: info?.string(IFLA_INFO_KIND),
      data: info?.bytes(IFLA_INFO_DATA),
      portKind: info?.string(IFLA_INFO_SLAVE_KIND),
      portData: info?.bytes(IFLA_INFO_SLAVE_DATA),
      bridgePort: attributes.bytes(IFLA_PROTINFO),
    }),
    // Nobody looks at them in an ADD, and a link has thirty.
    get unknown() {
      return attributes.unread();
    },
    get unknownInfo() {
      return info?.unread();
    },
  };
}

/** A link by name or index as a request names it. */
type LinkName = { name: string } | { index: number; targetNetnsId?: number };

const named = (link: LinkName): string =>
  "name" in link ? JSON.stringify(link.name) : `with index ${link.index}`;

/** For IFLA_EXT_MASK: leaves out the statistics of IPv6, a quarter of a reply. */
const RTEXT_FILTER_SKIP_STATS = 8;

/** Asks for one link. The reply decodes with `decodeLink`; ENODEV when there is none. */
export function getLink(link: LinkName): Request {
  const writer = new ByteWriter();
  putLink(writer, link);
  putU32(writer, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return { action: `find link ${named(link)}`, type: RTM_GETLINK, flags: 0, payload: writer.finish() };
}

/**
 * Asks for all links, or those that are ports of `master` or of a kind, or those of another namespace. Kernels before
 * 4.20 do not filter, and none does by a kind that it has no driver for; before 4.15 none answers for another namespace:
 * look at the links that come.
 */
export function dumpLinks(filter: { master?: number; kind?: string; targetNetnsId?: number } = {}): Request {
  const writer = new ByteWriter();
  putLink(writer, filter);
  putU32(writer, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return { action: "list links", type: RTM_GETLINK, flags: 0, payload: writer.finish() };
}

/** Adds a link; EEXIST when the name is taken. */
export function addLink(link: Link & { name: string }): Request {
  return {
    action: `add ${link.kind ?? "link"} ${JSON.stringify(link.name)}`,
    type: RTM_NEWLINK,
    flags: flag.create | flag.exclusive,
    payload: encodeLink(link),
  };
}

/** Changes the link with this index: only what the fields say. */
export function changeLink(link: Link & { index: number }, action: string): Request {
  return { action, type: RTM_NEWLINK, flags: 0, payload: encodeLink(link) };
}

/** Brings a link up or down. */
export function setLinkUp(index: number, up: boolean, name: string): Request {
  const link = { index, flags: up ? interfaceFlag.up : 0, change: interfaceFlag.up };
  return changeLink(link, `set link ${JSON.stringify(name)} ${up ? "up" : "down"}`);
}

/** Renames a link; EEXIST when the name is taken, EBUSY where the kernel wants the link down for that. */
export const renameLink = (index: number, name: string, to: string): Request =>
  changeLink({ index, name: to }, `rename link ${JSON.stringify(name)} to ${JSON.stringify(to)}`);

/** Deletes a link, and with it the other end of a veth pair; ENODEV when it is gone. */
export function deleteLink(link: LinkName): Request {
  return { action: `delete link ${named(link)}`, type: RTM_DELLINK, flags: 0, payload: encodeLink(link) };
}

/** The one link of a reply to `getLink`. */
export function linkOf(replies: readonly Message[]): Link | undefined {
  const message = replies.find((reply) => reply.type === RTM_NEWLINK);
  return message === undefined ? undefined : decodeLink(message.payload);
}
