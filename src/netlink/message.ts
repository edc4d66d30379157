/**
 * Netlink messages (uapi linux/netlink.h, struct nlmsghdr): u32 length, u16 type, u16 flags, u32 sequence, u32 port,
 * then the payload, each message aligned to four bytes. A datagram holds one or more.
 */
import { Attributes, present } from "./attribute.ts";
import { ByteReader, ByteWriter, i32At, padded, u16At } from "./bytes.ts";
import { DecodeError, type ExtendedAck } from "./error.ts";

/** Bytes of struct nlmsghdr. */
export const HEADER_LENGTH = 16;

/** NLM_F_*: of any request, of a get, of a new, and of a reply. The kernel uses the same bits again by kind. */
export const flag = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  echo: 0x8,
  dumpInterrupted: 0x10,
  dumpFiltered: 0x20,
  root: 0x100,
  match: 0x200,
  dump: 0x300,
  replace: 0x100,
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

/** Appends one message with its padding. */
export function putMessage(writer: ByteWriter, message: Message): void {
  const { length } = message.payload;
  writer.u32(HEADER_LENGTH + length);
  writer.u16(message.type);
  writer.u16(message.flags);
  writer.u32(message.sequence);
  writer.u32(message.port);
  writer.bytes(message.payload, padded(length));
}

/** One datagram of several messages. */
export function encodeMessages(messages: readonly Message[]): Uint8Array {
  const writer = new ByteWriter();
  for (const message of messages) putMessage(writer, message);
  return writer.finish();
}

/** The messages of a datagram; payloads are copies. @throws DecodeError */
export function decodeMessages(datagram: Uint8Array): Message[] {
  const messages: Message[] = [];
  const end = datagram.length;
  for (let at = 0; at < end; ) {
    const left = end - at;
    if (left < HEADER_LENGTH) throw new DecodeError(`${left} bytes at offset ${at} are not a message`);
    const length = i32At(datagram, at) >>> 0;
    const type = u16At(datagram, at + 4);
    if (length < HEADER_LENGTH || length > left) {
      throw new DecodeError(`message of type ${type} claims a length of ${length}, ${left} bytes are left`);
    }
    messages.push({
      type,
      flags: u16At(datagram, at + 6),
      sequence: i32At(datagram, at + 8) >>> 0,
      port: i32At(datagram, at + 12) >>> 0,
      payload: datagram.slice(at + HEADER_LENGTH, at + length),
    });
    // The last one need not be padded.
    at += padded(length);
  }
  return messages;
}

/** Whether a message ends what it answers: the acknowledgement or refusal of a request, or the end of several parts. */
export const isVerdict = (message: Message): boolean =>
  message.type === control.error || message.type === control.done;

/** What NLMSG_ERROR (also the acknowledgement: errno 0) and NLMSG_DONE carry. */
export interface Verdict {
  /** Positive errno, or 0. */
  readonly errno: number;
  readonly ack: ExtendedAck;
}

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSGERR_ATTR_MISS_TYPE = 5;

/**
 * Decodes NLMSG_ERROR: a negative errno, the request's header, the request's payload unless capped, and the extended
 * acknowledgement; or NLMSG_DONE: a negative errno and the extended acknowledgement.
 * @throws DecodeError
 */
export function decodeVerdict(message: Message): Verdict {
  const reader = new ByteReader(message.payload);
  // Very old kernels end a dump without an errno.
  if (message.type === control.done && reader.remaining < 4) return { errno: 0, ack: {} };
  const errno = 0 - reader.i32();
  if (message.type === control.error) {
    const requestLength = reader.u32();
    reader.skip(HEADER_LENGTH - 4);
    if ((message.flags & flag.capped) === 0 && requestLength > HEADER_LENGTH) {
      reader.skip(requestLength - HEADER_LENGTH);
      reader.align(4);
    }
  }
  if ((message.flags & flag.ackAttributes) === 0) return { errno, ack: {} };
  const attributes = new Attributes(message.payload, reader.at);
  const text = attributes.string(NLMSGERR_ATTR_MSG);
  const offset = attributes.u32(NLMSGERR_ATTR_OFFS);
  const missing = attributes.u32(NLMSGERR_ATTR_MISS_TYPE);
  return { errno, ack: present({ text, offset, missing }) };
}
