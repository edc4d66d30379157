/**
 * Settings of a link that only the plugin tuning reads and changes: more attributes of the messages of link.ts (IFLA_* of
 * uapi linux/if_link.h). They have a schema of their own, so that reading any other link does not cost more.
 */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import type { Message } from "../message.ts";
import { BYTES, type Fields, STRING, schema, U32 } from "../schema.ts";
import { LINK_HEADER, LINK_HEADER_SIZE, RTM_NEWLINK } from "./link.ts";

/** IFF_* of uapi linux/if.h. In a link that the kernel sends they are set if a user asked for the mode. */
export const modeFlag = { promisc: 0x100, allmulti: 0x200 } as const;

/** Schema of a link with these attributes. */
export const LINK_SETTINGS = schema(LINK_HEADER_SIZE, LINK_HEADER, [
  [3, "name", STRING],
  [1, "mac", BYTES],
  [4, "mtu", U32],
  [13, "txQLen", U32],
  // How often promiscuity was requested, by users and by the kernel, as for a port of a bridge.
  [30, "promiscuity", U32],
  // Bounds of the mtu (Linux 4.19 and later). A maximum of 0 is none.
  [50, "minMtu", U32],
  [51, "maxMtu", U32],
]);

/** A link with its settings, decoded or to be encoded. */
export type LinkSettings = Fields<typeof LINK_SETTINGS>;

/** The one link of a reply to `getLink`. @throws DecodeError */
export function linkSettingsOf(replies: readonly Message[]): LinkSettings | undefined {
  for (const { type, payload } of replies) if (type === RTM_NEWLINK) return decode(LINK_SETTINGS, payload);
  return undefined;
}

/** Changes the given settings of the link with this index. */
export const changeLinkSettings = (
  settings: LinkSettings & { readonly index: number },
  action: string,
): Request => ({
  action,
  type: RTM_NEWLINK,
  flags: 0,
  payload: encode(LINK_SETTINGS, settings),
});
