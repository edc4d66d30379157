/** Schema and requests of links: struct ifinfomsg and IFLA_* of uapi linux/rtnetlink.h and linux/if_link.h. */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { flag, type Message } from "../message.ts";
import {
  BYTES,
  type Decoded,
  ENCODED,
  type Fields,
  INLINE,
  nest,
  S32,
  STRING,
  schema,
  TEXT,
  U8,
  U16,
  U32,
} from "../schema.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
/** For changes of family AF_BRIDGE to bridge ports and VLANs. */
export const RTM_SETLINK = 19;

export const AF_BRIDGE = 7;

/** RTMGRP_LINK, for a socket's `groups`: links and bridge ports are added, deleted or changed. */
export const LINK_EVENTS = 0x1;

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

/** struct ifinfomsg. */
export const LINK_HEADER = [
  [0, "family", U8],
  // ARPHRD_*: 1 Ethernet, 772 loopback.
  [2, "hardwareType", U16],
  [4, "index", S32],
  // IFF_* bits; in a request only those in `change` count.
  [8, "flags", U32],
  [12, "change", U32],
] as const;
export const LINK_HEADER_SIZE = 16;

export const LINK = schema(LINK_HEADER_SIZE, LINK_HEADER, [
  [3, "name", STRING],
  [1, "mac", BYTES],
  [4, "mtu", U32],
  // IFLA_LINK: for a veth, the peer's index in the peer's namespace.
  [5, "peerIndex", U32],
  // Index of the bridge; 0 in a request removes the port from it.
  [10, "master", U32],
  // Index into OPERSTATES.
  [16, "operstate", U8],
  [20, "alias", TEXT],
  // How often promiscuity was requested.
  [30, "promiscuity", U32],
  // Descriptor of the namespace where the link is to be created.
  [28, "netnsFd", U32],
  // The kernel's number for the peer's namespace, -1 for none; absent when it is this one.
  [37, "linkNetnsId", S32],
  // The kernel's number for another namespace, in a request about it and in the answer (Linux 5.0 and later).
  [46, "targetNetnsId", S32],
  // IFLA_PROTINFO: messages of family AF_BRIDGE have it instead of `portData`.
  [12, "bridgePort", ENCODED],
  // IFLA_LINKINFO.
  [
    18,
    "unknownInfo",
    INLINE,
    nest([
      // "bridge", "veth", … and attributes of the kind: bridge.ts and veth.ts.
      [1, "kind", TEXT],
      [2, "data", ENCODED],
      // Kind of the master, "bridge" for a bridge port, and attributes of the port: bridge-port.ts.
      [4, "portKind", TEXT],
      [5, "portData", ENCODED],
    ]),
  ],
  // RTEXT_FILTER_*, in a request.
  [29, "filter", U32],
]);

/** A link, decoded or to be encoded. */
export type Link = Fields<typeof LINK>;

/** @throws DecodeError */
export const decodeLink = (payload: Uint8Array): Decoded<typeof LINK> => decode(LINK, payload);

/** How a request names a link. */
type LinkName = { name: string } | ({ index: number } & Pick<Link, "targetNetnsId">);

/** RTEXT_FILTER_SKIP_STATS omits the statistics of IPv6, a quarter of a reply. */
const SKIP_STATS = 8;

const named = (link: LinkName): string =>
  "name" in link ? JSON.stringify(link.name) : `with index ${link.index}`;

/** Gets one link, which linkOf() decodes; ENODEV when it does not exist. */
export const getLink = (link: LinkName): Request => ({
  action: `find link ${named(link)}`,
  type: RTM_GETLINK,
  flags: 0,
  payload: encode(
    LINK,
    "name" in link
      ? { name: link.name, filter: SKIP_STATS }
      : { index: link.index, targetNetnsId: link.targetNetnsId, filter: SKIP_STATS },
  ),
});

/**
 * Lists all links, or the ports of `master`, the links of a kind, or those of another namespace. Kernels before 4.20 do not
 * filter, no kernel filters by a kind without a driver, and none before 4.15 lists another namespace: check the links.
 */
export const dumpLinks = (filter: Pick<Link, "master" | "kind" | "targetNetnsId"> = {}): Request => ({
  action: "list links",
  type: RTM_GETLINK,
  flags: 0,
  payload: encode(LINK, { ...filter, filter: SKIP_STATS }),
});

/** Adds a link; EEXIST when the name is taken. */
export const addLink = (link: Link & { name: string }): Request => ({
  action: `add ${link.kind ?? "link"} ${JSON.stringify(link.name)}`,
  type: RTM_NEWLINK,
  flags: flag.create | flag.exclusive,
  payload: encode(LINK, link),
});

/** Changes the given fields of the link with this index. */
export const changeLink = (link: Link & { index: number }, action: string): Request => ({
  action,
  type: RTM_NEWLINK,
  flags: 0,
  payload: encode(LINK, link),
});

/** Brings a link up or down. */
export const setLinkUp = (index: number, up: boolean, name: string): Request =>
  changeLink(
    { index, flags: up ? interfaceFlag.up : 0, change: interfaceFlag.up },
    `set link ${JSON.stringify(name)} ${up ? "up" : "down"}`,
  );

/** Deletes a link, and with it the other end of a veth pair; ENODEV when it does not exist. */
export const deleteLink = (link: LinkName): Request => ({
  action: `delete link ${named(link)}`,
  type: RTM_DELLINK,
  flags: 0,
  payload: encode(LINK, link),
});

/** The one link of a reply to `getLink`. */
export function linkOf(replies: readonly Message[]): Link | undefined {
  for (const { type, payload } of replies) if (type === RTM_NEWLINK) return decodeLink(payload);
  return undefined;
}
