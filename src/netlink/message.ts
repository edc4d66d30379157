/**
 * Netlink messages (uapi linux/netlink.h, struct nlmsghdr): u32 length, u16 type, u16 flags, u32 sequence, u32 port,
 * then the payload, each message aligned to four bytes. A datagram holds one or more.
 */
import { input, load, makeRoom, output, padded, written } from "./bytes.ts";
import { decode } from "./decode.ts";
import { DecodeError, type ExtendedAck } from "./error.ts";
import { nest, STRING, U32 } from "./schema.ts";

/** Bytes of struct nlmsghdr. */
export const HEADER_LENGTH = 16;

/** NLM_F_*. The same bit means different things in a get, in a new and in a reply. */
export const flag = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  echo: 0x8,
  dumpInterrupted: 0x10,
  dumpFiltered: 0x20,
  dump: 0x300,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
  capped: 0x100,
  ackAttributes: 0x200,
} as const;

/** Message types below 16 belong to netlink itself. */
export const control = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  readonly payload: Uint8Array;
}

/** One datagram of several messages. */
export function encodeMessages(messages: readonly Message[]): Uint8Array {
  output.length = 0;
  for (const { type, flags, sequence, port, payload } of messages) {
    const { length } = payload;
    makeRoom(HEADER_LENGTH + padded(length));
    const { words } = output;
    const at = output.length >> 2;
    words[at] = HEADER_LENGTH + length;
    words[at + 1] = type | (flags << 16);
    words[at + 2] = sequence;
    words[at + 3] = port;
    output.length += HEADER_LENGTH;
    // The padding. The payload overwrites a part of this word.
    if ((length & 3) !== 0) words[(output.length + length) >> 2] = 0;
    output.bytes.set(payload, output.length);
    output.length += padded(length);
  }
  return written();
}

/** The messages of a datagram without NLMSG_NOOP. Payloads are copies. @throws DecodeError */
export function decodeMessages(datagram: Uint8Array): Message[] {
  const messages: Message[] = [];
  const end = load(datagram);
  const { words, bytes } = input;
  for (let at = 0; at < end; ) {
    const left = end - at;
    if (left < HEADER_LENGTH) throw new DecodeError(`${left} bytes at offset ${at} are not a message`);
    const word = at >> 2;
    const length = words[word] as number;
    const kind = words[word + 1] as number;
    const type = kind & 0xffff;
    if (length < HEADER_LENGTH || length > left)
      throw new DecodeError(`message of type ${type} claims a length of ${length}, ${left} bytes are left`);
    if (type !== control.noop)
      messages.push({
        type,
        flags: kind >>> 16,
        sequence: words[word + 2] as number,
        port: words[word + 3] as number,
        payload: bytes.slice(at + HEADER_LENGTH, at + length),
      });
    // The last one need not be padded.
    at += padded(length);
  }
  return messages;
}

/** Whether a message ends the replies to a request: NLMSG_ERROR, also the acknowledgement, or NLMSG_DONE. */
export const isAck = ({ type }: Message): boolean => type === control.error || type === control.done;

/** The content of NLMSG_ERROR (errno 0 is the acknowledgement) or NLMSG_DONE. */
export interface Ack {
  /** Positive errno, or 0. */
  readonly errno: number;
  readonly extended: ExtendedAck;
}

/** NLMSGERR_ATTR_*. */
const EXTENDED_ACK = nest([
  [1, "text", STRING],
  [2, "offset", U32],
  [5, "missing", U32],
]);

const NOTHING_MORE: ExtendedAck = {};

/**
 * Decodes NLMSG_ERROR (a negative errno, the request's header, the request's payload unless capped, the extended
 * acknowledgement) or NLMSG_DONE (a negative errno, the extended acknowledgement). A success has no extended one here.
 * @throws DecodeError
 */
export function decodeAck({ type, flags, payload }: Message): Ack {
  const size = load(payload);
  // Very old kernels end a dump without an errno.
  if (type === control.done && size < 4) return { errno: 0, extended: NOTHING_MORE };
  let end = 4;
  if (type === control.error) {
    const answered = (flags & flag.capped) === 0 ? (input.words[1] as number) : HEADER_LENGTH;
    end += answered > HEADER_LENGTH ? answered : HEADER_LENGTH;
  }
  if (end > size) throw new DecodeError(`an acknowledgement of ${size} bytes instead of ${end} or more`);
  const errno = 0 - ((input.words[0] as number) | 0);
  if (errno === 0 || (flags & flag.ackAttributes) === 0) return { errno, extended: NOTHING_MORE };
  return { errno, extended: decode(EXTENDED_ACK, payload.slice(padded(end))) };
}

/** Offsets in struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence. NLMSG_DONE has an errno behind it. */
const TYPE_AT = 4;
const FLAGS_AT = 6;
const DONE_LENGTH = 20;

/**
 * Whether a datagram has objects of an uninterrupted dump of nf_tables alone. There the kernel marks an interruption at the
 * first message of a datagram, since it looks at the table's generation once for each, and ends the dump with a datagram of
 * its own; one that it appends is seen too. Types of other subsystems of netlink are below 256.
 */
export function isPlain(datagram: Uint8Array): boolean {
  const end = datagram.length - DONE_LENGTH;
  const isObject = datagram[TYPE_AT + 1] !== 0 && end > 0;
  const isInterrupted = ((datagram[FLAGS_AT] ?? 0) & flag.dumpInterrupted) !== 0;
  const isEnd = datagram[end] === DONE_LENGTH && datagram[end + TYPE_AT] === control.done;
  return isObject && !isInterrupted && !isEnd;
}
