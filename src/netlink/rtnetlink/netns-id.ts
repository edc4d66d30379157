/** The kernel's numbers for other namespaces (uapi linux/net_namespace.h): struct rtgenmsg { u8 family; } and NETNSA_*. */
import { Attributes, putU32 } from "../attribute.ts";
import { ByteWriter } from "../bytes.ts";
import type { Request } from "../connection.ts";
import type { Message } from "../message.ts";

export const RTM_NEWNSID = 88;
export const RTM_GETNSID = 90;

const NETNSA_NSID = 1;
const NETNSA_FD = 3;
/** struct rtgenmsg with its padding. */
const HEADER = 4;

/** Asks for the number of the namespace behind a descriptor; -1 when it has none, since nothing leads there. */
export function getNetnsId(fd: number): Request {
  const writer = new ByteWriter();
  writer.u32(0);
  putU32(writer, NETNSA_FD, fd);
  return { action: "find the number of a namespace", type: RTM_GETNSID, flags: 0, payload: writer.finish() };
}

/** Asks for the numbers of all other namespaces that have one here, since a link leads or led there. */
export const dumpNetnsIds = (): Request => ({
  action: "list the numbers of namespaces",
  type: RTM_GETNSID,
  flags: 0,
  payload: new Uint8Array(HEADER),
});

/** The number in a message of a dump; undefined for any other message. @throws DecodeError */
export const netnsIdIn = ({ type, payload }: Message): number | undefined =>
  type === RTM_NEWNSID ? new Attributes(payload, HEADER).i32(NETNSA_NSID) : undefined;

/** The number in a reply to `getNetnsId`. @throws DecodeError */
export function netnsIdOf(replies: readonly Message[]): number | undefined {
  const message = replies.find((reply) => reply.type === RTM_NEWNSID);
  return message === undefined ? undefined : netnsIdIn(message);
}
