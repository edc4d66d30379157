/** The bytes of each kind of a schema, and the errors for values that do not fit and for invalid bytes. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decode } from "../../src/netlink/decode.ts";
import { encode } from "../../src/netlink/encode.ts";
import { UnfitError } from "../../src/netlink/error.ts";
import {
  BE16,
  BE32,
  BE64,
  BIT,
  BYTES,
  EACH,
  ENCODED,
  FLAG,
  INLINE,
  NAME8,
  NAME32,
  NEST,
  NUMBERED,
  nest,
  REPEATED,
  S32,
  SBE32,
  type Schema,
  STRING,
  schema,
  TEXT,
  U8,
  U16,
  U32,
} from "../../src/netlink/schema.ts";

const names = { one: 1, last: 0xff } as const;
const INSIDE = nest([[1, "inside", U8]]);

/** A schema of one attribute, a value of it, and the attribute's bytes. */
const KINDS: readonly (readonly [name: string, schema: Schema, fields: object, bytes: string])[] = [
  ["U8", nest([[1, "a", U8]]), { a: 0xff }, "05000100ff000000"],
  ["U16", nest([[2, "a", U16]]), { a: 0x1234 }, "0600020034120000"],
  ["U32", nest([[3, "a", U32]]), { a: 0xfedcba98 }, "0800030098badcfe"],
  ["S32", nest([[3, "a", S32]]), { a: -2 }, "08000300feffffff"],
  ["BE16", nest([[4, "a", BE16]]), { a: 0x1234 }, "0600040012340000"],
  ["BE32", nest([[4, "a", BE32]]), { a: 0xfedcba98 }, "08000400fedcba98"],
  ["SBE32", nest([[4, "a", SBE32]]), { a: -2 }, "08000400fffffffe"],
  ["BE64", nest([[5, "a", BE64]]), { a: 0xfedcba9876543210n }, "0c000500fedcba9876543210"],
  ["FLAG true", nest([[6, "a", FLAG]]), { a: true }, "0500060001000000"],
  ["FLAG false", nest([[6, "a", FLAG]]), { a: false }, "0500060000000000"],
  ["BIT", nest([[6, "a", BIT]]), { a: true }, "0800060000000001"],
  ["NAME8", nest([[7, "a", NAME8, names]]), { a: "last" }, "05000700ff000000"],
  ["NAME32", nest([[7, "a", NAME32, names]]), { a: "one" }, "0800070000000001"],
  ["STRING, with its NUL", nest([[8, "a", STRING]]), { a: "ü" }, "07000800c3bc0000"],
  ["TEXT, without", nest([[8, "a", TEXT]]), { a: "eth" }, "0700080065746800"],
  ["TEXT, empty", nest([[8, "a", TEXT]]), { a: "" }, "04000800"],
  ["BYTES", nest([[9, "a", BYTES]]), { a: Uint8Array.of(1, 2, 3, 4, 5) }, "090009000102030405000000"],
  ["BYTES, none", nest([[9, "a", BYTES]]), { a: new Uint8Array() }, "04000900"],
  ["ENCODED, marked", nest([[9, "a", ENCODED]]), { a: Uint8Array.of(4, 0, 1, 0) }, "0800098004000100"],
  ["NEST", nest([[18, "a", NEST, INSIDE]]), { a: { inside: 7 } }, "0c0012800500010007000000"],
  ["INLINE", nest([[18, "", INLINE, INSIDE]]), { inside: 7 }, "0c0012800500010007000000"],
  [
    "EACH",
    nest([[1, "a", EACH, INSIDE]]),
    { a: [{ inside: 7 }, {}] },
    "0c0001800500010007000000" + "04000180",
  ],
  [
    "EACH, of structs",
    nest([[1, "a", EACH, schema(4, [[2, "b", U16]], [])]]),
    { a: [{ b: 7 }] },
    "0800010000000700",
  ],
  ["NUMBERED", nest([[0, "a", NUMBERED, nest([])]]), { a: [{}, {}] }, "0400018004000280"],
  [
    "a header",
    schema(
      8,
      [
        [0, "a", U8],
        [2, "b", BE16],
        [4, "c", S32],
      ],
      [],
    ),
    { a: 1, b: 0x1234, c: -2 },
    "01001234feffffff",
  ],
];

describe("each kind, both ways", () => {
  test.each(KINDS)("%s", (_, kind, fields, bytes) => {
    expect(encode(kind, fields).toHex()).toBe(bytes);
    expect<object>(decode(kind, Uint8Array.fromHex(bytes))).toEqual(fields);
  });

  test("REPEATED is written only", () => {
    const kind = nest([[1, "a", REPEATED]]);
    expect(encode(kind, { a: 5 }).toHex()).toBe("0800010000000005");
    expect(decode(kind, Uint8Array.fromHex("0800010000000005"))).toEqual({});
  });

  test("no bytes of a message are left for the next one, not even in its padding", () => {
    encode(nest([[1, "a", BYTES]]), { a: new Uint8Array(64).fill(0xff) });
    for (const [, kind, fields, bytes] of KINDS) expect(encode(kind, fields).toHex()).toBe(bytes);
  });

  test("fields that are undefined or not in the schema write nothing, or 0 in a header", () => {
    const kind = schema(4, [[0, "a", U32]], [[1, "b", U32]]);
    expect(encode(kind, { b: undefined, c: 1 } as object).toHex()).toBe("00000000");
  });

  test("attributes are in the order of the schema, unknown ones after them", () => {
    const kind = nest([
      [2, "b", U8],
      [1, "a", U8],
    ]);
    const unknown = [{ type: 0x4009, payload: Uint8Array.of(9) }];
    expect(encode(kind, { unknown, a: 1, b: 2 }).toHex()).toBe(
      "0500020002000000" + "0500010001000000" + "0500094009000000",
    );
  });

  test("unknown attributes inside an INLINE attribute stay there", () => {
    const kind = nest([[18, "more", INLINE, INSIDE]]);
    const bytes = Uint8Array.fromHex("10001280050001000700000004000200" + "04000300");
    const none = new Uint8Array();
    const decoded = { inside: 7, more: [{ type: 2, payload: none }], unknown: [{ type: 3, payload: none }] };
    expect(decode(kind, bytes)).toEqual(decoded);
    expect(encode(kind, decoded).toHex()).toBe(bytes.toHex());
  });
});

describe("a value that does not fit is refused, not cut", () => {
  const bad: readonly (readonly [Schema, readonly unknown[]])[] = [
    [nest([[1, "a", U8]]), [-1, 0x100, 0.5, Number.NaN]],
    [nest([[1, "a", U16]]), [-1, 0x10000]],
    [nest([[1, "a", BE16]]), [-1, 0x10000]],
    [nest([[1, "a", U32]]), [-1, 2 ** 32, 0.5, Number.POSITIVE_INFINITY]],
    [nest([[1, "a", BE32]]), [-1, 2 ** 32]],
    [nest([[1, "a", S32]]), [2 ** 31, -(2 ** 31) - 1]],
    [nest([[1, "a", SBE32]]), [2 ** 31, -(2 ** 31) - 1]],
    [nest([[1, "a", BE64]]), [-1n, 1n << 64n]],
    [nest([[1, "a", NAME8, names]]), ["two"]],
    [schema(4, [[0, "a", U8]], []), [256]],
    [nest([[1, "a", BYTES]]), [new Uint8Array(0x10000 - 4)]],
    [nest([]), []],
  ];
  test.each(bad)("%#", (kind, values) => {
    for (const a of values) expect(() => encode(kind, { a } as object)).toThrow(UnfitError);
  });

  test("the error says what fits", () => {
    expect(() => encode(nest([[1, "a", U8]]), { a: 256 })).toThrow("256 does not fit: it must be 0 to 255");
    expect(() => encode(nest([[7, "a", BYTES]]), { a: new Uint8Array(0xffff) })).toThrow(
      "attribute 7 has 65539 bytes, at most 65535 fit",
    );
    const unknown = [{ type: 0x10000, payload: new Uint8Array() }];
    expect(() => encode(nest([]), { unknown })).toThrow("65536 does not fit: it must be 0 to 65535");
  });

  test("the longest attribute, and more attributes than the buffer had room for", () => {
    const kind = nest([[1, "a", EACH, nest([[1, "b", BYTES]])]]);
    const b = new Uint8Array(0xffff - 15).fill(7);
    const bytes = encode(kind, { a: [{ b }, { b }] });
    expect(bytes.length).toBe(2 * 0xfff8);
    expect(decode(kind, bytes)).toEqual({ a: [{ b }, { b }] });
  });
});

describe("decoding", () => {
  const A = nest([[1, "a", U8]]);
  const decoded = (kind: Schema, hex: string) => decode(kind, Uint8Array.fromHex(hex));

  test("any attributes survive, flags, order and repetition included", () => {
    const raw = fc.record({
      type: fc.integer({ min: 0, max: 0xffff }),
      payload: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(raw, { minLength: 1 }), (unknown) => {
        expect(decode(nest([]), encode(nest([]), { unknown }))).toEqual({ unknown });
      }),
    );
  });

  test("flags are not part of the type; of several the last counts; its padding may be missing", () => {
    expect(decoded(A, "0500018001000000")).toEqual({ a: 1 });
    expect(decoded(A, "0500014001000000")).toEqual({ a: 1 });
    expect(decoded(A, "05000100010000000500010002")).toEqual({ a: 2 });
  });

  test("bytes that are a part of a larger buffer, at any offset", () => {
    const memory = Uint8Array.fromHex("ffffff0500010007000000ff");
    expect(decode(A, memory.subarray(3, 11))).toEqual({ a: 7 });
  });

  test.each([
    ["a length of 0", "00000100", "at offset 0 claims a length of 0"],
    ["a length shorter than the header", "03000100", "claims a length of 3"],
    ["a length beyond the end", "09000100000000", "claims a length of 9, 7 bytes are left"],
    ["half a header", "0400", "2 bytes at offset 0 are not an attribute"],
    ["bytes after the last attribute", "0500010001000000ff", "1 bytes at offset 8 are not an attribute"],
    ["a payload that is too long", "0800010001000000", "attribute 1 has 4 bytes instead of 1"],
    ["a payload that is too short", "04000100", "attribute 1 has 0 bytes instead of 1"],
  ])("%s is a DecodeError", (_, hex, words) => {
    // Bytes of an earlier message must not replace the missing ones.
    decoded(A, "0500010001000000".repeat(4));
    expect(() => decoded(A, hex)).toThrow(words);
  });

  test("a header that is cut, an unknown name, a missing required field: DecodeError", () => {
    expect(() => decoded(schema(8, [], []), "00000000")).toThrow("a header of 4 bytes instead of 8");
    expect(() => decoded(nest([[1, "a", NAME8, names]]), "0500010003000000")).toThrow("a 3 is not known");
    expect(() => decoded(nest([[1, "a", U8]], ["a"]), "")).toThrow("the message has no a");
  });
});
