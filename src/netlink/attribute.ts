/**
 * Netlink attributes (uapi linux/netlink.h): struct nlattr { u16 nla_len; u16 nla_type; }, payload, padding to four
 * bytes. The two top bits of the type are flags: nested, and network byte order.
 */
import { ByteReader, ByteWriter, i32At, u16At } from "./bytes.ts";
import { DecodeError } from "./error.ts";

const HEADER = 4;
export const NLA_F_NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An attribute as it came: its 16-bit type field with the flags, and its payload. */
export interface RawAttribute {
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Writes one attribute whose payload is whatever `body` appends. */
export function putAttribute(writer: ByteWriter, type: number, body: (writer: ByteWriter) => void): void {
  const start = writer.length;
  putHeader(writer, type, 0);
  body(writer);
  const length = writer.length - start;
  if (length > 0xffff) refuse(type, length);
  writer.patchU16(start, length);
  writer.pad(4);
}

/** Starts an attribute whose payload will have `size` bytes. */
function putHeader(writer: ByteWriter, type: number, size: number): void {
  const length = HEADER + size;
  if (length > 0xffff || (type & 0xffff) !== type) refuse(type, length);
  // Both halves of struct nlattr as one number: an ADD writes two hundred of them.
  writer.u32((length | (type << 16)) >>> 0);
}

function refuse(type: number, length: number): never {
  throw new RangeError(
    length > 0xffff
      ? `attribute ${type} has ${length} bytes, 65535 fit`
      : `attribute type ${type} does not fit: 0 to 65535`,
  );
}

/** The typed forms write nothing for undefined: an absent value is not zero. */
export function putU8(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, 1);
  writer.u8(value);
  writer.pad(4);
}
export function putU16(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, 2);
  writer.u16(value);
  writer.pad(4);
}
export function putU32(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, 4);
  writer.u32(value);
}
export function putI32(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, 4);
  writer.i32(value);
}
export function putU32be(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, 4);
  writer.u32be(value);
}
export function putU64be(writer: ByteWriter, type: number, value: bigint | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, 8);
  writer.u64be(value);
}
export function putBytes(writer: ByteWriter, type: number, value: Uint8Array | undefined): void {
  if (value === undefined) return;
  putHeader(writer, type, value.length);
  writer.bytes(value);
  writer.pad(4);
}
/** A string with its final NUL (NLA_NUL_STRING of the kernel's policies). */
export function putString(writer: ByteWriter, type: number, value: string | undefined): void {
  if (value !== undefined) putBytes(writer, type, encoder.encode(`${value}\0`));
}
/** A string without a NUL, for attributes whose length says it all (NLA_STRING of the kernel's policies). */
export function putText(writer: ByteWriter, type: number, value: string | undefined): void {
  if (value !== undefined) putBytes(writer, type, encoder.encode(value));
}
/** An attribute that holds attributes, marked as such: strict kernels insist on the flag. */
export function putNested(writer: ByteWriter, type: number, body: (writer: ByteWriter) => void): void {
  putAttribute(writer, type | NLA_F_NESTED, body);
}
/** Attributes as they came, for what the decoder did not know. */
export function putRaw(writer: ByteWriter, attributes: readonly RawAttribute[] | undefined): void {
  if (attributes === undefined) return;
  for (const { type, payload } of attributes) putBytes(writer, type, payload);
}

/** The attributes of `body` alone, without a message around them. */
export function encodeAttributes(body: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  body(writer);
  return writer.finish();
}

/**
 * Decoded attributes. Accessors give undefined for an absent type and check the length of a present one.
 *
 * A link has some forty attributes, of which a decoder asks for fifteen: one walk notes where each of them is, by
 * hand, since a ByteReader for it would take most of the time that an ADD spends on replies.
 */
export class Attributes {
  private readonly buffer: Uint8Array;
  /** Types without their flags, in order, and the offsets of their headers. */
  private readonly types: number[] = [];
  private readonly offsets: number[] = [];
  /** Types that were asked for, and whether all were. */
  private readonly read: number[] = [];
  private allRead = false;

  constructor(bytes: Uint8Array) {
    this.buffer = bytes;
    const types = this.types;
    const offsets = this.offsets;
    const end = bytes.length;
    for (let at = 0; at < end; ) {
      const left = end - at;
      if (left < HEADER) throw new DecodeError(`${left} bytes at offset ${at} are no attribute`);
      const length = u16At(bytes, at);
      const type = u16At(bytes, at + 2) & TYPE_MASK;
      if (length < HEADER || length > left) {
        throw new DecodeError(`attribute ${type} claims a length of ${length}, ${left} bytes are left`);
      }
      types.push(type);
      offsets.push(at);
      // The last one need not be padded.
      at += (length + 3) & ~3;
    }
  }

  private payload(at: number): Uint8Array {
    return this.buffer.slice(at + HEADER, at + u16At(this.buffer, at));
  }

  /** Payload of the last attribute of a type (the kernel, too, lets the last one win), as a copy. */
  bytes(type: number): Uint8Array | undefined {
    this.read.push(type);
    const at = this.offsets[this.types.lastIndexOf(type)];
    return at === undefined ? undefined : this.payload(at);
  }

  /** The payload, which must have `size` bytes. */
  private sized(type: number, size: number): Uint8Array | undefined {
    const payload = this.bytes(type);
    if (payload === undefined || payload.length === size) return payload;
    throw new DecodeError(`attribute ${type} has ${payload.length} bytes instead of ${size}`);
  }

  u8(type: number): number | undefined {
    return this.sized(type, 1)?.[0];
  }
  u16(type: number): number | undefined {
    const payload = this.sized(type, 2);
    return payload && u16At(payload, 0);
  }
  u32(type: number): number | undefined {
    const value = this.i32(type);
    return value === undefined ? undefined : value >>> 0;
  }
  i32(type: number): number | undefined {
    const payload = this.sized(type, 4);
    return payload && i32At(payload, 0);
  }
  u32be(type: number): number | undefined {
    const payload = this.sized(type, 4);
    return payload && new ByteReader(payload).u32be();
  }
  u64be(type: number): bigint | undefined {
    const payload = this.sized(type, 8);
    return payload && new ByteReader(payload).u64be();
  }
  /** Text up to the first NUL. */
  string(type: number): string | undefined {
    const payload = this.bytes(type);
    if (payload === undefined) return undefined;
    const end = payload.indexOf(0);
    return decoder.decode(end < 0 ? payload : payload.slice(0, end));
  }
  nested(type: number): Attributes | undefined {
    const payload = this.bytes(type);
    return payload === undefined ? undefined : new Attributes(payload);
  }

  /** All attributes in order, for lists whose items share a type. Counts them as read. */
  list(): readonly RawAttribute[] {
    this.allRead = true;
    return this.offsets.map((at) => this.raw(at));
  }

  /** What no accessor has asked for, so that it survives decoding and encoding. */
  unread(): RawAttribute[] {
    const unread: RawAttribute[] = [];
    if (this.allRead) return unread;
    for (let index = 0; index < this.offsets.length; index++) {
      if (!this.read.includes(this.types[index] ?? 0)) unread.push(this.raw(this.offsets[index] ?? 0));
    }
    return unread;
  }

  private raw(at: number): RawAttribute {
    return { type: u16At(this.buffer, at + 2), payload: this.payload(at) };
  }
}

/** Type of an attribute without its flags. */
export const attributeType = (attribute: RawAttribute): number => attribute.type & TYPE_MASK;

/** The same object without its undefined fields, so that "absent" has one form. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in fields) {
    const value = fields[key];
    if (value !== undefined) kept[key] = value as Exclude<T[typeof key], undefined>;
  }
  return kept;
}
