/**
 * Encodes objects by their schemas. An attribute is (uapi linux/netlink.h) struct nlattr { u16 nla_len; u16 nla_type; },
 * the payload, and zeros up to four bytes.
 */
import { makeRoom, output, padded, swapped, written } from "./bytes.ts";
import { UnfitError } from "./error.ts";
import {
  BE16,
  BE32,
  BE64,
  BIT,
  BYTES,
  CUSTOM,
  type Custom,
  EACH,
  ENCODED,
  type Fields,
  FLAG,
  INLINE,
  NAME8,
  NAME32,
  type Names,
  NEST,
  NUMBERED,
  type RawAttribute,
  REPEATED,
  type Row,
  S32,
  SBE32,
  type Schema,
  SIZES,
  STRING,
  TEXT,
  U8,
  U16,
} from "./schema.ts";

/** Flag of an attribute that contains attributes. Kernels with strict checks require it. */
const NLA_F_NESTED = 0x8000;

const text = new TextEncoder();

type Values = Readonly<Record<string, unknown>>;

/** Encodes an object. @throws UnfitError when a value does not fit its field */
export function encode<S extends Schema>(
  schema: S,
  fields: { readonly [F in keyof Fields<S>]?: Fields<S>[F] | undefined },
): Uint8Array {
  output.length = 0;
  write(schema, fields, undefined);
  return written();
}

/**
 * Places of fields by name: an attribute has its index, a header field -1 and below, and `unknown` the number of
 * attributes. Fields inside an INLINE attribute have the place of that attribute.
 */
function placesOf({ header, attributes }: Schema): Map<string, number> {
  const places = new Map<string, number>();
  for (let index = 0; index < header.length; index++) places.set((header[index] as Row)[1], -1 - index);
  for (let index = 0; index < attributes.length; index++) {
    const [, name, kind, inside] = attributes[index] as Row;
    if (name !== "") places.set(name, index);
    if (kind === INLINE) for (const inner of placesOf(inside as Schema).keys()) places.set(inner, index);
  }
  places.set("unknown", attributes.length);
  return places;
}

/**
 * Appends an object to the output, and the attributes of `raw` after its own. Iterates over the fields of the object, not
 * over the rows of the schema, since a message has few fields.
 */
function write(schema: Schema, fields: Values, raw: readonly RawAttribute[] | undefined): void {
  schema.places ??= placesOf(schema);
  const { places, size, header, attributes } = schema;
  const start = output.length;
  makeRoom(size);
  output.length = start + size;
  for (let at = start; at < output.length; at += 4) output.words[at >> 2] = 0;
  // A bit for each attribute that is present. An array with holes costs fifty times as much.
  let present = 0;
  for (const name in fields) {
    const place = places.get(name);
    if (place === undefined) continue;
    const value = fields[name];
    if (value === undefined) continue;
    if (place >= 0) present |= 1 << place;
    else {
      const row = header[-1 - place] as Row;
      const at = start + row[0];
      output.words[at >> 2] = (output.words[at >> 2] as number) | (wordOf(row, value) << ((at & 3) << 3));
    }
  }
  for (let index = 0; present >>> index !== 0 && index < attributes.length; index++) {
    if (((present >>> index) & 1) !== 0) writeAttribute(attributes[index] as Row, fields);
  }
  const unknown = raw ?? (present >>> attributes.length === 0 ? undefined : (fields.unknown as typeof raw));
  if (unknown === undefined) return;
  for (const { type, payload } of unknown)
    putBytes((type & 0xffff) === type ? type : refuse(type, "0 to 65535"), payload);
}

function writeAttribute(row: Row, fields: Values): void {
  const type = row[0];
  const kind = row[2];
  const value = fields[row[1]];
  const start = output.length;
  makeRoom(12);
  if (kind < STRING) {
    if (kind === BIT && value === false) return;
    const at = start >> 2;
    // The word of a short number includes its padding.
    output.words[at] = (4 + SIZES[kind as typeof U8]) | (type << 16);
    output.words[at + 1] = wordOf(row, value);
    if (kind === BE64) output.words[at + 2] = swapped(Number((value as bigint) & 0xffffffffn));
    output.length += kind === BE64 ? 12 : 8;
    return;
  }
  switch (kind) {
    case STRING:
      putText(type, value as string, 1);
      break;
    case TEXT:
      putText(type, value as string, 0);
      break;
    case BYTES:
      putBytes(type, value as Uint8Array);
      break;
    case ENCODED:
      putBytes(type | NLA_F_NESTED, value as Uint8Array);
      break;
    case NEST:
      output.length += 4;
      write(row[3] as Schema, value as Values, undefined);
      end(start, type | NLA_F_NESTED);
      break;
    case INLINE:
      output.length += 4;
      write(row[3] as Schema, fields, (value ?? []) as readonly RawAttribute[]);
      end(start, type | NLA_F_NESTED);
      break;
    case EACH:
    case NUMBERED:
      writeEach(row, value as readonly Values[]);
      break;
    case CUSTOM: {
      const bytes = (row[3] as Custom<unknown>).encode(value);
      if (bytes !== undefined) putBytes(type, bytes);
      break;
    }
    case REPEATED:
      output.words[start >> 2] = 8 | (type << 16);
      output.words[(start >> 2) + 1] = swapped(value as number);
      output.length += 8;
  }
}

function writeEach(row: Row, items: readonly Values[]): void {
  const schema = row[3] as Schema;
  for (let index = 0; index < items.length; index++) {
    const start = output.length;
    makeRoom(4);
    output.length += 4;
    write(schema, items[index] as Values, undefined);
    // A struct does not have the flag for nested attributes.
    const type = row[2] === EACH ? row[0] : index + 1;
    end(start, schema.size === 0 ? type | NLA_F_NESTED : type);
  }
}

/** The word of a number or a name, or the first word of a BE64. The value fills the lowest bytes. @throws UnfitError */
function wordOf(row: Row, value: unknown): number {
  const number = value as number;
  switch (row[2]) {
    case U8:
      return (number & 0xff) === number ? number : refuse(value, "0 to 255");
    case U16:
      return (number & 0xffff) === number ? number : refuse(value, "0 to 65535");
    case BE16:
      return (number & 0xffff) === number ? swapped(number) >>> 16 : refuse(value, "0 to 65535");
    case S32:
      return (number | 0) === number ? number : refuse(value, "-2147483648 to 2147483647");
    case SBE32:
      return (number | 0) === number ? swapped(number) : refuse(value, "-2147483648 to 2147483647");
    case BE32:
      return number >>> 0 === number ? swapped(number) : refuse(value, "0 to 4294967295");
    case BE64: {
      const fits = typeof value === "bigint" && value >= 0n && value >> 64n === 0n;
      return fits ? swapped(Number(value >> 32n)) : refuse(value, "0 to 2^64 - 1");
    }
    case FLAG:
      return value === true ? 1 : 0;
    case BIT:
      return swapped(1);
    case NAME8:
      return (row[3] as Names)[value as string] ?? refuse(value, "a name of its table");
    case NAME32:
      return swapped((row[3] as Names)[value as string] ?? refuse(value, "a name of its table"));
    default:
      return number >>> 0 === number ? number : refuse(value, "0 to 4294967295");
  }
}

function refuse(value: unknown, fits: string): never {
  throw new UnfitError(`${value} does not fit: it must be ${fits}`);
}

function putBytes(type: number, value: Uint8Array): void {
  const { length } = value;
  const start = output.length;
  makeRoom(length + 8);
  // The padding. The value overwrites a part of this word.
  output.words[(start + 4 + length) >> 2] = 0;
  output.bytes.set(value, start + 4);
  output.length = start + 4 + length;
  end(start, type);
}

function putText(type: number, value: string, nul: number): void {
  const start = output.length;
  makeRoom(value.length * 3 + 8);
  const { written: count } = text.encodeInto(value, output.bytes.subarray(start + 4));
  output.length = start + 4 + count + nul;
  for (let at = start + 4 + count; at < padded(output.length); at++) output.bytes[at] = 0;
  end(start, type);
}

/** Writes the header of an attribute that began at `start` and ends here, and adds its padding. @throws UnfitError */
function end(start: number, type: number): void {
  const length = output.length - start;
  if (length > 0xffff)
    throw new UnfitError(`attribute ${type & ~NLA_F_NESTED} has ${length} bytes, at most 65535 fit`);
  output.words[start >> 2] = length | (type << 16);
  output.length = padded(output.length);
}
