/** The kernel's numbers for other namespaces: struct rtgenmsg and NETNSA_* of uapi linux/net_namespace.h. */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import type { Message } from "../message.ts";
import { S32, schema, U32 } from "../schema.ts";

export const RTM_NEWNSID = 88;
export const RTM_GETNSID = 90;

const NETNS_ID = schema(
  // The family, which is not used here, and its padding.
  4,
  [],
  [
    [1, "id", S32],
    [3, "fd", U32],
  ],
);

/** Gets the number of the namespace of a descriptor; -1 when it has none, since no link leads there. */
export const getNetnsId = (fd: number): Request => ({
  action: "find the number of a namespace",
  type: RTM_GETNSID,
  flags: 0,
  payload: encode(NETNS_ID, { fd }),
});

/** Lists the numbers of all other namespaces that have one here, since a link leads or led there. */
export const dumpNetnsIds = (): Request => ({
  action: "list the numbers of namespaces",
  type: RTM_GETNSID,
  flags: 0,
  payload: encode(NETNS_ID, {}),
});

/** The number in a message of a dump; undefined for any other message. @throws DecodeError */
export const netnsIdIn = ({ type, payload }: Message): number | undefined =>
  type === RTM_NEWNSID ? decode(NETNS_ID, payload).id : undefined;

/** The number in a reply to `getNetnsId`. @throws DecodeError */
export const netnsIdOf = ([reply]: readonly Message[]): number | undefined => reply && netnsIdIn(reply);
