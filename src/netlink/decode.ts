/** Decodes objects by their schemas, and checks the lengths in all that the kernel sends. */
import { input, load, swapped } from "./bytes.ts";
import { DecodeError } from "./error.ts";
import {
  BE16,
  BE32,
  BE64,
  BIT,
  BYTES,
  CUSTOM,
  type Custom,
  type Decoded,
  EACH,
  ENCODED,
  FLAG,
  INLINE,
  NAME8,
  NAME32,
  type Names,
  NEST,
  NUMBERED,
  type RawAttribute,
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

/** Bytes of an attribute's header. */
const HEADER = 4;
/** Removes the flags for nested attributes and for network order. */
const TYPE_MASK = 0x3fff;

/** U+FEFF at the beginning of a name is not a byte order mark. */
const text = new TextDecoder("utf-8", { ignoreBOM: true });

type Values = Record<string, unknown>;

/**
 * Walks over the attributes between two offsets without decoding any: gives the number of each, and where its payload begins and
 * ends. @throws DecodeError
 */
export function forEachAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (type: number, at: number, stop: number) => void,
): void {
  for (let at = start; at + HEADER <= end; ) {
    const length = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    if (length < HEADER || at + length > end) throw badLength(at, length, end);
    const type = ((bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)) & TYPE_MASK;
    take(type, at + HEADER, at + length);
    at += (length + 3) & ~3;
  }
}

/** Decodes an object. @throws DecodeError */
export function decode<S extends Schema>(schema: S, bytes: Uint8Array): Decoded<S> {
  const object: Values = {};
  if (read(schema, 0, load(bytes), object)) {
    // Computed on access: a link has thirty of them, and an ADD uses none.
    Object.defineProperty(object, "unknown", {
      enumerable: true,
      get: () => unknownIn(schema, 0, load(bytes)),
    });
  }
  return object as Decoded<S>;
}

/** The same for a schema that has only what the caller needs: the other attributes are not kept. @throws DecodeError */
export function decodePart<S extends Schema>(schema: S, bytes: Uint8Array): Decoded<S> {
  const object: Values = {};
  read(schema, 0, load(bytes), object);
  return object as Decoded<S>;
}

/** Decodes the bytes between two offsets into the object. Returns whether there are unknown attributes. */
function read(schema: Schema, start: number, end: number, object: Values): boolean {
  schema.rows ??= rowsOf(schema);
  const { rows, size, header, required } = schema;
  const { words } = input;
  const limit = rows.length;
  const others = rows[0]?.[2] === NUMBERED ? rows[0] : undefined;
  if (size > end - start) throw new DecodeError(`a header of ${end - start} bytes instead of ${size}`);
  for (let index = 0; index < header.length; index++) {
    const row = header[index] as Row;
    object[row[1]] = valueAt(row, start + row[0]);
  }
  let hasMore = false;
  for (let at = start + size; at < end; ) {
    const word = words[at >> 2] as number;
    const length = word & 0xffff;
    const stop = at + length;
    if (length < HEADER || stop > end) throw badLength(at, length, end);
    const type = (word >>> 16) & TYPE_MASK;
    // Of several attributes of a type the last one counts, as in the kernel.
    const row = type < limit ? rows[type] : others;
    if (row === undefined) hasMore = true;
    else readAttribute(row, at + HEADER, stop, object);
    // The last one need not be padded.
    at += (length + 3) & ~3;
  }
  for (let index = 0; index < required.length; index++) {
    const name = required[index] as string;
    if (object[name] === undefined) throw new DecodeError(`the message has no ${name}`);
  }
  return hasMore;
}

function badLength(at: number, length: number, end: number): DecodeError {
  return new DecodeError(
    end - at < HEADER
      ? `${end - at} bytes at offset ${at} are not an attribute`
      : `attribute at offset ${at} claims a length of ${length}, ${end - at} bytes are left`,
  );
}

/** Rows by attribute number. There are no holes in the array, since reading one costs fifty times as much. */
function rowsOf({ attributes }: Schema): (Row | undefined)[] {
  let highest = -1;
  for (const [number] of attributes) if (number > highest) highest = number;
  const rows = new Array<Row | undefined>(highest + 1).fill(undefined);
  for (const row of attributes) rows[row[0]] = row;
  return rows;
}

/** Decodes an attribute's payload into the object. */
function readAttribute(row: Row, at: number, end: number, object: Values): void {
  const name = row[1];
  const kind = row[2];
  if (kind < STRING) {
    const size = SIZES[kind as typeof U8];
    if (size !== end - at)
      throw new DecodeError(`attribute ${row[0]} has ${end - at} bytes instead of ${size}`);
    const value = valueAt(row, at);
    // A false BIT has no field.
    if (value !== false || kind !== BIT) object[name] = value;
    return;
  }
  const { bytes } = input;
  switch (kind) {
    case STRING:
    case TEXT: {
      const nul = bytes.indexOf(0, at);
      object[name] = text.decode(bytes.subarray(at, nul < 0 || nul > end ? end : nul));
      break;
    }
    case BYTES:
    case ENCODED:
      object[name] = bytes.slice(at, end);
      break;
    case NEST:
      object[name] = objectIn(row[3] as Schema, at, end);
      break;
    case INLINE:
      if (read(row[3] as Schema, at, end, object) && name !== "")
        object[name] = unknownIn(row[3] as Schema, at, end);
      break;
    case EACH:
    case NUMBERED: {
      object[name] ??= [];
      (object[name] as Values[]).push(objectIn(row[3] as Schema, at, end));
      break;
    }
    case CUSTOM: {
      const value = (row[3] as Custom<unknown>).decode(bytes.slice(at, end), row[0]);
      if (value !== undefined) object[name] = value;
    }
  }
}

function objectIn(schema: Schema, start: number, end: number): Values {
  const object: Values = {};
  if (read(schema, start, end, object)) object.unknown = unknownIn(schema, start, end);
  return object;
}

function valueAt(row: Row, at: number): number | bigint | boolean | string {
  const word = (input.words[at >> 2] as number) >>> ((at & 3) << 3);
  switch (row[2]) {
    case U8:
      return word & 0xff;
    case U16:
      return word & 0xffff;
    case S32:
      return word | 0;
    case BE16:
      return swapped(word) >>> 16;
    case BE32:
      return swapped(word) >>> 0;
    case SBE32:
      return swapped(word);
    case BE64:
      return (
        (BigInt(swapped(word) >>> 0) << 32n) | BigInt(swapped(input.words[(at >> 2) + 1] as number) >>> 0)
      );
    case FLAG:
      return (word & 0xff) !== 0;
    case BIT:
      return (swapped(word) & 1) !== 0;
    case NAME8:
      return nameOf(row, word & 0xff);
    case NAME32:
      return nameOf(row, swapped(word) >>> 0);
    default:
      return word;
  }
}

/** The name of a number (NAME8, NAME32). */
function nameOf([, field, , names]: Row, number: unknown): string {
  for (const name in names as Names) if ((names as Names)[name] === number) return name;
  throw new DecodeError(`${field} ${number} is not known`);
}

/** The attributes that a schema does not have. Their lengths were checked by read(). */
function unknownIn({ size, rows = [] }: Schema, start: number, end: number): RawAttribute[] {
  const { words, bytes } = input;
  const unknown: RawAttribute[] = [];
  for (let at = start + size; at < end; ) {
    const word = words[at >> 2] as number;
    const length = word & 0xffff;
    const type = word >>> 16;
    if (rows[type & TYPE_MASK] === undefined && rows[0]?.[2] !== NUMBERED)
      unknown.push({ type, payload: bytes.slice(at + HEADER, at + length) });
    at += (length + 3) & ~3;
  }
  return unknown;
}
