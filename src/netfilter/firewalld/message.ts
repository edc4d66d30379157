/**
 * Messages of D-Bus (the D-Bus specification, "Message Protocol"), as far as method calls with texts and their answers need
 * them. Numbers are little-endian, and each value is aligned to its own size.
 */
import { DecodeError } from "../../netlink/error.ts";

/** Bytes of the fixed header with the length of the fields that follow it. */
export const HEADER_LENGTH = 16;

const METHOD_CALL = 1;
/** The types of answers. */
export const METHOD_RETURN = 2;
/** An error, whose first value is its text. */
export const ERROR = 3;
const VERSION = 1;
/** NO_AUTO_START: a service that does not run is not started. */
const NO_AUTO_START = 2;
const LITTLE_ENDIAN = 0x6c;

/** Codes of header fields. */
const FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  errorName: 4,
  replySerial: 5,
  destination: 6,
  signature: 8,
};

/** A call of a method whose arguments are texts. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly texts: readonly string[];
}

const aligned = (length: number, to: number): number => Math.ceil(length / to) * to;

/** Collects the bytes of a message. */
class Writer {
  private readonly list: number[] = [];

  get bytes(): Uint8Array {
    return Uint8Array.from(this.list);
  }

  get length(): number {
    return this.list.length;
  }

  align(to: number): void {
    while (this.list.length % to !== 0) this.list.push(0);
  }

  byte(value: number): void {
    this.list.push(value);
  }

  word(value: number): void {
    this.align(4);
    this.list.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.word(bytes.length);
    for (const byte of bytes) this.list.push(byte);
    this.list.push(0);
  }

  signature(text: string): void {
    this.list.push(text.length, ...new TextEncoder().encode(text), 0);
  }

  /** A struct of a code and a variant. */
  field(code: number, type: "o" | "s" | "g", value: string): void {
    this.align(8);
    this.byte(code);
    this.signature(type);
    if (type === "g") this.signature(value);
    else this.text(value);
  }
}

/** The bytes of a method call with this serial number, which is not 0. */
export function encodeCall(call: MethodCall, serial: number): Uint8Array {
  const body = new Writer();
  for (const text of call.texts) body.text(text);
  const fields = new Writer();
  fields.field(FIELD.path, "o", call.path);
  fields.field(FIELD.interface, "s", call.interface);
  fields.field(FIELD.member, "s", call.member);
  fields.field(FIELD.destination, "s", call.destination);
  if (call.texts.length > 0) fields.field(FIELD.signature, "g", "s".repeat(call.texts.length));
  const head = new Writer();
  for (const byte of [LITTLE_ENDIAN, METHOD_CALL, NO_AUTO_START, VERSION]) head.byte(byte);
  head.word(body.length);
  head.word(serial);
  // The fields begin at a multiple of 8, so that their own alignment holds.
  head.word(fields.length);
  const start = aligned(head.length + fields.length, 8);
  const bytes = new Uint8Array(start + body.length);
  bytes.set(head.bytes);
  bytes.set(fields.bytes, head.length);
  bytes.set(body.bytes, start);
  return bytes;
}

/** A message from the bus: an answer, or anything else that is not for us. */
export interface BusMessage {
  readonly type: number;
  /** The serial number of the call that it answers. */
  readonly replySerial: number;
  readonly errorName: string;
  /** The first value of the body; undefined for one of a type that is not read here. */
  readonly value: string | boolean | readonly string[] | undefined;
}

/** The length of a message whose first HEADER_LENGTH bytes these are. @throws DecodeError */
export function messageLength(head: Uint8Array): number {
  if (head[0] !== LITTLE_ENDIAN) throw new DecodeError("a message of D-Bus in another byte order");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const [body, fields] = [view.getUint32(4, true), view.getUint32(12, true)];
  const length = aligned(HEADER_LENGTH + fields, 8) + body;
  // The specification's limit is 128 MiB. The answers that are read here are short.
  if (length > 2 ** 24) throw new DecodeError(`a message of D-Bus of ${length} bytes`);
  return length;
}

/** Reads values from a message, each at its alignment. */
class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  align(to: number): void {
    this.at = aligned(this.at, to);
  }

  byte(): number {
    this.need(1);
    return this.bytes[this.at++] ?? 0;
  }

  word(): number {
    this.align(4);
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  text(): string {
    return this.characters(this.word());
  }

  signature(): string {
    return this.characters(this.byte());
  }

  /** A value of one of the types that are read here; undefined for any other. */
  value(type: string): BusMessage["value"] | number {
    if (type === "s" || type === "o") return this.text();
    if (type === "g") return this.signature();
    if (type === "b") return this.word() !== 0;
    if (type === "u") return this.word();
    if (type !== "as") return undefined;
    const end = this.word() + this.at;
    const list: string[] = [];
    while (this.at < end) list.push(this.text());
    return list;
  }

  private characters(length: number): string {
    this.need(length + 1);
    this.at += length + 1;
    return new TextDecoder().decode(this.bytes.slice(this.at - length - 1, this.at - 1));
  }

  private need(length: number): void {
    if (this.at + length > this.bytes.length) throw new DecodeError("a message of D-Bus is cut off");
  }
}

/** Reads a whole message. @throws DecodeError */
export function decodeMessage(bytes: Uint8Array): BusMessage {
  const header = new Reader(bytes, 12);
  const end = header.word() + HEADER_LENGTH;
  const fields = new Map<number, unknown>();
  while (header.at < end) {
    header.align(8);
    const code = header.byte();
    const type = header.signature();
    const value = header.value(type);
    if (value === undefined) throw new DecodeError(`a header field of D-Bus of type ${type}`);
    fields.set(code, value);
  }
  const body = new Reader(bytes, aligned(end, 8));
  const signature = String(fields.get(FIELD.signature) ?? "");
  const value = body.value(signature.startsWith("as") ? "as" : signature.slice(0, 1));
  return {
    type: bytes[1] ?? 0,
    replySerial: Number(fields.get(FIELD.replySerial) ?? 0),
    errorName: String(fields.get(FIELD.errorName) ?? ""),
    value: typeof value === "number" ? undefined : value,
  };
}
