/**
 * Netlink attributes (uapi linux/netlink.h): struct nlattr { u16 nla_len; u16 nla_type; }, payload, padding to four
 * bytes. The two top bits of the type are flags: nested, and network byte order.
 */
import { ByteReader, ByteWriter } from "./bytes.ts";
import { DecodeError } from "./error.ts";

const HEADER = 4;
const NLA_F_NESTED = 0x8000;
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
  const start = writer.reserve(HEADER);
  writer.patchU16(start + 2, type);
  body(writer);
  const length = writer.length - start;
  if (length > 0xffff) throw new RangeError(`attribute ${type} has ${length} bytes, 65535 fit`);
  writer.patchU16(start, length);
  writer.pad(4);
}

/** The typed forms write nothing for undefined: an absent value is not zero. */
export function putU8(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.u8(value));
}
export function putU16(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.u16(value));
}
export function putU32(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.u32(value));
}
export function putI32(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.i32(value));
}
export function putU32be(writer: ByteWriter, type: number, value: number | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.u32be(value));
}
export function putU64be(writer: ByteWriter, type: number, value: bigint | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.u64be(value));
}
export function putBytes(writer: ByteWriter, type: number, value: Uint8Array | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.bytes(value));
}
/** A string with its final NUL (NLA_NUL_STRING of the kernel's policies). */
export function putString(writer: ByteWriter, type: number, value: string | undefined): void {
  if (value === undefined) return;
  putAttribute(writer, type, (body) => {
    body.bytes(encoder.encode(value));
    body.u8(0);
  });
}
/** A string without a NUL, for attributes whose length says it all (NLA_STRING of the kernel's policies). */
export function putText(writer: ByteWriter, type: number, value: string | undefined): void {
  if (value !== undefined) putAttribute(writer, type, (body) => body.bytes(encoder.encode(value)));
}
/** An attribute that holds attributes, marked as such: strict kernels insist on the flag. */
export function putNested(writer: ByteWriter, type: number, body: (writer: ByteWriter) => void): void {
  putAttribute(writer, type | NLA_F_NESTED, body);
}
/** Attributes as they came, for what the decoder did not know. */
export function putRaw(writer: ByteWriter, attributes: readonly RawAttribute[] | undefined): void {
  for (const { type, payload } of attributes ?? []) putAttribute(writer, type, (body) => body.bytes(payload));
}

/** The attributes of `body` alone, without a message around them. */
export function encodeAttributes(body: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  body(writer);
  return writer.finish();
}

/** Decoded attributes. Accessors give undefined for an absent type and check the length of a present one. */
export class Attributes {
  readonly #all: RawAttribute[] = [];
  readonly #read = new Set<number>();

  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes);
    while (reader.remaining > 0) {
      const length = reader.u16();
      const type = reader.u16();
      if (length < HEADER)
        throw new DecodeError(`attribute ${type & TYPE_MASK} claims a length of ${length}`);
      this.#all.push({ type, payload: reader.bytes(length - HEADER) });
      reader.align(4);
    }
  }

  /** Payload of the last attribute of a type (the kernel, too, lets the last one win). */
  bytes(type: number): Uint8Array | undefined {
    this.#read.add(type);
    return this.#all.findLast((attribute) => (attribute.type & TYPE_MASK) === type)?.payload;
  }

  #reader(type: number, size: number): ByteReader | undefined {
    const payload = this.bytes(type);
    if (payload === undefined) return undefined;
    if (payload.length !== size) {
      throw new DecodeError(`attribute ${type} has ${payload.length} bytes instead of ${size}`);
    }
    return new ByteReader(payload);
  }

  u8(type: number): number | undefined {
    return this.#reader(type, 1)?.u8();
  }
  u16(type: number): number | undefined {
    return this.#reader(type, 2)?.u16();
  }
  u32(type: number): number | undefined {
    return this.#reader(type, 4)?.u32();
  }
  i32(type: number): number | undefined {
    return this.#reader(type, 4)?.i32();
  }
  u32be(type: number): number | undefined {
    return this.#reader(type, 4)?.u32be();
  }
  u64be(type: number): bigint | undefined {
    return this.#reader(type, 8)?.u64be();
  }
  /** Text up to the first NUL. */
  string(type: number): string | undefined {
    const payload = this.bytes(type);
    if (payload === undefined) return undefined;
    const end = payload.indexOf(0);
    return decoder.decode(end < 0 ? payload : payload.subarray(0, end));
  }
  nested(type: number): Attributes | undefined {
    const payload = this.bytes(type);
    return payload === undefined ? undefined : new Attributes(payload);
  }

  /** All attributes in order, for lists whose items share a type. Counts them as read. */
  list(): readonly RawAttribute[] {
    for (const { type } of this.#all) this.#read.add(type & TYPE_MASK);
    return this.#all;
  }

  /** What no accessor has asked for, so that it survives decoding and encoding. */
  unread(): RawAttribute[] {
    return this.#all.filter((attribute) => !this.#read.has(attribute.type & TYPE_MASK));
  }
}

/** Type of an attribute without its flags. */
export const attributeType = (attribute: RawAttribute): number => attribute.type & TYPE_MASK;

/** The same object without its undefined fields, so that "absent" has one form. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
