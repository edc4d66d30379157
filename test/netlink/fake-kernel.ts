/**
 * A fake kernel: a script turns the requests of each datagram into the datagrams of the answer. The functions that build
 * a real kernel's messages are here too, so that a script can misbehave on purpose.
 */
import type { Transport } from "../../src/netlink/connection.ts";
import type { ExtendedAck } from "../../src/netlink/error.ts";
import {
  control,
  decodeMessages,
  encodeMessages,
  flag,
  HEADER_LENGTH,
  type Message,
} from "../../src/netlink/message.ts";
import type { RawAttribute } from "../../src/netlink/schema.ts";
import { attributeBytes, hostOrder } from "./attributes.ts";

/** What the kernel sends after one datagram: datagrams of messages, or of raw bytes. */
export type Reply = readonly Message[] | Uint8Array;

/** Answers the requests of one datagram. */
export type Script = (requests: readonly Message[]) => readonly Reply[];

export class FakeKernel implements Transport {
  readonly #script: Script;
  readonly #queue: Uint8Array[] = [];
  /** Requests of each datagram, in the order of arrival. */
  readonly received: Message[][] = [];
  closed = false;

  constructor(script: Script) {
    this.#script = script;
  }

  send(datagram: Uint8Array): void {
    const requests = decodeMessages(datagram);
    this.received.push(requests);
    for (const reply of this.#script(requests))
      this.#queue.push(reply instanceof Uint8Array ? reply : encodeMessages(reply));
  }

  /** A real socket would wait forever. @throws Error */
  receive(): Uint8Array {
    const datagram = this.#queue.shift();
    if (datagram === undefined) throw new Error("nothing more comes from the fake kernel");
    return datagram;
  }

  /** Datagrams that were not received. */
  get unread(): number {
    return this.#queue.length;
  }

  [Symbol.dispose](): void {
    this.closed = true;
  }
}

/** A script that answers each request separately, with one datagram each. */
export const each =
  (answer: (request: Message, index: number) => readonly Message[]): Script =>
  (requests) =>
    requests.map(answer);

/** A message in answer to a request. */
export const answer = (
  request: Message,
  type: number,
  payload: Uint8Array = new Uint8Array(),
  flags = 0,
): Message => ({
  type,
  flags,
  sequence: request.sequence,
  port: 4242,
  payload,
});

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSGERR_ATTR_MISS_TYPE = 5;

function extended({ text, offset, missing }: ExtendedAck): Uint8Array {
  const attributes: RawAttribute[] = [];
  if (text !== undefined)
    attributes.push({ type: NLMSGERR_ATTR_MSG, payload: new TextEncoder().encode(`${text}\0`) });
  if (offset !== undefined) attributes.push({ type: NLMSGERR_ATTR_OFFS, payload: hostOrder(offset) });
  if (missing !== undefined) attributes.push({ type: NLMSGERR_ATTR_MISS_TYPE, payload: hostOrder(missing) });
  return attributeBytes(attributes);
}

const ackFlags = (ack: ExtendedAck): number => (Object.keys(ack).length === 0 ? 0 : flag.ackAttributes);

/** NLMSG_ERROR with the whole request, as without NETLINK_CAP_ACK, or `capped` with only its header. */
export function refusal(request: Message, errno: number, ack: ExtendedAck = {}, capped = false): Message {
  const copy = encodeMessages([request]);
  const asked = capped ? copy.subarray(0, HEADER_LENGTH) : copy;
  const payload = Uint8Array.of(...hostOrder(-errno), ...asked, ...extended(ack));
  return answer(request, control.error, payload, ackFlags(ack) | (capped ? flag.capped : 0));
}

/** The acknowledgement: errno 0, always capped. */
export const acknowledgement = (request: Message): Message => refusal(request, 0, {}, true);

/** NLMSG_DONE, also with an error. */
export function done(request: Message, errno = 0, ack: ExtendedAck = {}, flags = 0): Message {
  const payload = Uint8Array.of(...hostOrder(-errno), ...extended(ack));
  return answer(request, control.done, payload, flag.multi | ackFlags(ack) | flags);
}

/** One part of a dump. */
export const part = (request: Message, type: number, payload: Uint8Array, flags = 0): Message =>
  answer(request, type, payload, flag.multi | flags);
