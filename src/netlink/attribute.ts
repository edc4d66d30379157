/**
 * Netlink attributes (uapi linux/netlink.h): struct nlattr { u16 nla_len; u16 nla_type; }, payload, padding to four
 * bytes. The two top bits of the type are flags: nested, and network byte order.
 */
import { ByteReader, ByteWriter, i32At, i32beAt, padded, u16At } from "./bytes.ts";
import { DecodeError, UnfitError } from "./error.ts";

const HEADER = 4;
export const NLA_F_NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

const encoder = new TextEncoder();
/** A name may begin with U+FEFF, which is not a byte order mark there. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

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
  throw new UnfitError(
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
  const { length } = value;
  putHeader(writer, type, length);
  writer.bytes(value, padded(length));
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
 * hand, since a ByteReader for it would take most of the time that an ADD spends on replies. For the same reason numbers
 * are read where they are, and only what is handed out is copied.
 */
export class Attributes {
  private readonly buffer: Uint8Array;
  private readonly start: number;
  private readonly end: number;
  /** Offset of the header of the last attribute of each type: the kernel, too, lets the last one win. */
  private readonly places: number[] = [];
  /** Types that were asked for, and whether all were. */
  private readonly read: number[] = [];
  private allRead = false;

  /** The attributes from offset `start` of `bytes` to `end`. @throws DecodeError */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.buffer = bytes;
    this.start = start;
    this.end = end;
    const places = this.places;
    for (let at = start; at < end; ) {
      const left = end - at;
      if (left < HEADER) throw new DecodeError(`${left} bytes at offset ${at - start} are not an attribute`);
      // By hand, as an ADD comes by here two hundred times: u16At for both, and padded() below.
      const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      const type = ((bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8)) & TYPE_MASK;
      if (length < HEADER || length > left) {
        throw new DecodeError(`attribute ${type} claims a length of ${length}, ${left} bytes are left`);
      }
      places[type] = at;
      // The last one need not be padded.
      at += (length + 3) & ~3;
    }
  }

  private payload(at: number): Uint8Array {
    return this.buffer.slice(at + HEADER, at + u16At(this.buffer, at));
  }

  /** Offset of the header of the last attribute of a type, which counts as read from now on. */
  private find(type: number): number | undefined {
    this.read.push(type);
    return this.places[type];
  }

  /** Payload of the last attribute of a type, as a copy. */
  bytes(type: number): Uint8Array | undefined {
    const at = this.find(type);
    return at === undefined ? undefined : this.payload(at);
  }

  /** Offset of the payload, which must have `size` bytes. */
  private sized(type: number, size: number): number | undefined {
    const at = this.find(type);
    if (at === undefined) return undefined;
    const found = u16At(this.buffer, at) - HEADER;
    if (found === size) return at + HEADER;
    throw new DecodeError(`attribute ${type} has ${found} bytes instead of ${size}`);
  }

  u8(type: number): number | undefined {
    const at = this.sized(type, 1);
    return at === undefined ? undefined : this.buffer[at];
  }
  u16(type: number): number | undefined {
    const at = this.sized(type, 2);
    return at === undefined ? undefined : u16At(this.buffer, at);
  }
  u32(type: number): number | undefined {
    const at = this.sized(type, 4);
    return at === undefined ? undefined : i32At(this.buffer, at) >>> 0;
  }
  i32(type: number): number | undefined {
    const at = this.sized(type, 4);
    return at === undefined ? undefined : i32At(this.buffer, at);
  }
  u32be(type: number): number | undefined {
    const at = this.sized(type, 4);
    return at === undefined ? undefined : i32beAt(this.buffer, at) >>> 0;
  }
  u64be(type: number): bigint | undefined {
    const at = this.sized(type, 8);
    return at === undefined ? undefined : new ByteReader(this.buffer.slice(at, at + 8)).u64be();
  }
  /** Text up to the first NUL. */
  string(type: number): string | undefined {
    const at = this.find(type);
    if (at === undefined) return undefined;
    const end = at + u16At(this.buffer, at);
    const nul = this.buffer.indexOf(0, at + HEADER);
    return decoder.decode(this.buffer.slice(at + HEADER, nul < 0 || nul > end ? end : nul));
  }
  nested(type: number): Attributes | undefined {
    const at = this.find(type);
    return at === undefined
      ? undefined
      : new Attributes(this.buffer, at + HEADER, at + u16At(this.buffer, at));
  }

  /** All attributes in order, for lists whose items share a type. Counts them as read. */
  list(): readonly RawAttribute[] {
    this.allRead = true;
    return this.all();
  }

  /** What no accessor has asked for, so that it survives decoding and encoding. */
  unread(): RawAttribute[] {
    return this.allRead
      ? []
      : this.all().filter((attribute) => !this.read.includes(attributeType(attribute)));
  }

  private all(): RawAttribute[] {
    const all: RawAttribute[] = [];
    for (let at = this.start; at < this.end; at += padded(u16At(this.buffer, at))) {
      all.push({ type: u16At(this.buffer, at + 2), payload: this.payload(at) });
    }
    return all;
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
