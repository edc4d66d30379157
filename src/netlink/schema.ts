/**
 * Describes netlink objects as data: the fields of the fixed header and the attributes, much like the kernel's own
 * specifications (Documentation/netlink/specs). encode.ts and decode.ts work on any schema, and TypeScript infers the type
 * of the object from it.
 */

/** Unsigned and signed (S) numbers in host order and in network order (BE). Kinds up to NAME32 are indexes of SIZES. */
export const U8 = 0;
export const U16 = 1;
export const U32 = 2;
export const S32 = 3;
export const BE16 = 4;
export const BE32 = 5;
export const SBE32 = 6;
export const BE64 = 7;
/** A boolean as a byte, 0 or 1. */
export const FLAG = 8;
/** A boolean: the lowest bit of a number in network order. False is not written. */
export const BIT = 9;
/** U8 and BE32 with names for their numbers. The object has the name. */
export const NAME8 = 10;
export const NAME32 = 11;
/** Text with its final NUL (NLA_NUL_STRING of the kernel's policies), and without one (NLA_STRING). */
export const STRING = 12;
export const TEXT = 13;
export const BYTES = 14;
/** Attributes that are already encoded, by a schema that only the caller knows. */
export const ENCODED = 15;
/** An object inside the object. */
export const NEST = 16;
/** Attributes inside an attribute, as fields of this object. The row's name is the field for unknown attributes inside. */
export const INLINE = 17;
/** An array of objects. EACH: one attribute of this number for each. NUMBERED: all attributes, numbered from 1. */
export const EACH = 18;
export const NUMBERED = 19;
/** A value with its own codec. */
export const CUSTOM = 20;
/** A BE32 that is only written, since it repeats another field. */
export const REPEATED = 21;

/** Bytes of each kind up to NAME32. */
export const SIZES = [1, 2, 4, 4, 2, 4, 4, 8, 1, 4, 1, 4] as const;

type NumberKind =
  | typeof U8
  | typeof U16
  | typeof U32
  | typeof S32
  | typeof BE16
  | typeof BE32
  | typeof SBE32
  | typeof REPEATED;

type Kind =
  | NumberKind
  | typeof BE64
  | typeof FLAG
  | typeof BIT
  | typeof NAME8
  | typeof NAME32
  | typeof STRING
  | typeof TEXT
  | typeof BYTES
  | typeof ENCODED
  | typeof NEST
  | typeof INLINE
  | typeof EACH
  | typeof NUMBERED
  | typeof CUSTOM;

/** Numbers by their names. */
export type Names = Readonly<Record<string, number>>;

/** A codec for a form of bytes that no kind has. */
export interface Custom<T> {
  /** Undefined writes no attribute. */
  encode(value: T): Uint8Array | undefined;
  /** `type` is the attribute's, for errors. Undefined counts as an absent attribute. @throws DecodeError */
  decode(bytes: Uint8Array, type: number): T | undefined;
}

/**
 * A field of the fixed header or an attribute: its offset or its number, its name in the object, its kind, and for some
 * kinds a schema, names or a codec.
 */
export type Row = readonly [
  number: number,
  name: string,
  kind: Kind,
  inside?: Schema | Names | Custom<unknown>,
];

/** An attribute that the schema does not have: its 16-bit type with the flags, and its payload. */
export interface RawAttribute {
  readonly type: number;
  readonly payload: Uint8Array;
}

export interface Schema {
  /** Bytes of the fixed header, a multiple of four. */
  readonly size: number;
  readonly header: readonly Row[];
  /** In the order of writing; at most 30. A NUMBERED row is the only one. */
  readonly attributes: readonly Row[];
  /** Attributes that every object has. */
  readonly required: readonly string[];
  /** Indexes of encode.ts and decode.ts, made on first use. */
  places: ReadonlyMap<string, number> | undefined;
  rows: readonly (Row | undefined)[] | undefined;
}

interface Known<H extends readonly Row[], A extends readonly Row[], R extends readonly string[]>
  extends Schema {
  readonly header: H;
  readonly attributes: A;
  readonly required: R;
}

/** Creates a schema, from whose type the object's type is inferred. */
export const schema = <
  const H extends readonly Row[],
  const A extends readonly Row[],
  const R extends readonly string[] = readonly [],
>(
  size: number,
  header: H,
  attributes: A,
  required: R = [] as unknown as R,
): Known<NoInfer<H>, NoInfer<A>, NoInfer<R>> => ({
  size,
  header,
  attributes,
  required,
  places: undefined,
  rows: undefined,
});

/** The schema of attributes without a header. */
export const nest = <const A extends readonly Row[], const R extends readonly string[] = readonly []>(
  attributes: A,
  required: R = [] as unknown as R,
): Known<readonly [], NoInfer<A>, NoInfer<R>> => schema(0, [], attributes, required);

type Value<K, Inside> = K extends NumberKind
  ? number
  : K extends typeof NAME8 | typeof NAME32
    ? keyof Inside & string
    : K extends typeof BE64
      ? bigint
      : K extends typeof FLAG | typeof BIT
        ? boolean
        : K extends typeof STRING | typeof TEXT
          ? string
          : K extends typeof BYTES | typeof ENCODED
            ? Uint8Array
            : K extends typeof INLINE
              ? readonly RawAttribute[]
              : Inside extends Schema
                ? K extends typeof NEST
                  ? Fields<Inside>
                  : readonly Fields<Inside>[]
                : Inside extends Custom<infer T>
                  ? T
                  : never;

type NameOf<R extends Row> = Exclude<R[1], "">;
type Intersection<U> = (U extends unknown ? (part: U) => void : never) extends (part: infer I) => void
  ? I
  : never;
type InlineSchema<R extends Row> = R extends readonly [number, string, typeof INLINE, infer S extends Schema]
  ? S
  : never;
type Inlined<S> = S extends Schema ? Fields<S> : never;
type HeaderFields<S extends Schema> = {
  [R in S["header"][number] as R[1]]: Value<R[2], R[3]>;
};
type AttributeFields<S extends Schema> = {
  [R in S["attributes"][number] as Exclude<NameOf<R>, S["required"][number]>]?: Value<R[2], R[3]> | undefined;
} & {
  [R in S["attributes"][number] as Extract<NameOf<R>, S["required"][number]>]: Value<R[2], R[3]>;
};

/** An object to be encoded. An undefined field writes no attribute, and 0 in the header. */
export type Fields<S extends Schema> = {
  [R in S["header"][number] as R[1]]?: Value<R[2], R[3]> | undefined;
} & AttributeFields<S> &
  ([InlineSchema<S["attributes"][number]>] extends [never]
    ? unknown
    : Intersection<Inlined<InlineSchema<S["attributes"][number]>>>) & {
    /** Attributes that the schema does not have, unchanged. Absent when there are none. */
    unknown?: readonly RawAttribute[] | undefined;
  };

/** A decoded object: all fields of the header, and the attributes that were present. */
export type Decoded<S extends Schema> = HeaderFields<S> & Fields<S>;
