import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  Attributes,
  attributeType,
  encodeAttributes,
  present,
  putBytes,
  putI32,
  putNested,
  putRaw,
  putString,
  putText,
  putU8,
  putU16,
  putU32,
  putU32be,
  putU64be,
} from "../../src/netlink/attribute.ts";
import type { ByteWriter } from "../../src/netlink/bytes.ts";
import { DecodeError } from "../../src/netlink/error.ts";

const hex = (body: (writer: ByteWriter) => void) => encodeAttributes(body).toHex();
const decoded = (text: string) => new Attributes(Uint8Array.fromHex(text));

const raw = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  payload: fc.uint8Array({ maxLength: 40 }),
});

describe("encoding", () => {
  test("length and type, payload, zeros up to four bytes", () => {
    expect(hex((w) => putU8(w, 1, 0xff))).toBe("05000100ff000000");
    expect(hex((w) => putU16(w, 2, 0x1234))).toBe("0600020034120000");
    expect(hex((w) => putU32(w, 3, 0x12345678))).toBe("0800030078563412");
    expect(hex((w) => putI32(w, 3, -1))).toBe("08000300ffffffff");
    expect(hex((w) => putU32be(w, 4, 0x12345678))).toBe("0800040012345678");
    expect(hex((w) => putU64be(w, 5, 1n))).toBe("0c0005000000000000000001");
    expect(hex((w) => putBytes(w, 6, new Uint8Array()))).toBe("04000600");
  });

  test("a string has a NUL, a text has none, both are UTF-8", () => {
    expect(hex((w) => putString(w, 3, "eth"))).toBe("0800030065746800");
    expect(hex((w) => putText(w, 3, "eth"))).toBe("0700030065746800");
    expect(hex((w) => putString(w, 3, "ü"))).toBe("07000300c3bc0000");
    expect(hex((w) => putText(w, 3, ""))).toBe("04000300");
  });

  test("undefined writes nothing, zero does", () => {
    expect(
      hex((w) => {
        for (const put of [putU8, putU16, putU32, putI32, putU32be]) put(w, 1, undefined);
        putU64be(w, 1, undefined);
        putBytes(w, 1, undefined);
        putString(w, 1, undefined);
        putText(w, 1, undefined);
        putRaw(w, undefined);
      }),
    ).toBe("");
    expect(hex((w) => putU8(w, 1, 0))).toBe("0500010000000000");
  });

  test("a nest has the flag and the length of all that is inside", () => {
    expect(hex((w) => putNested(w, 18, (inner) => putU8(inner, 1, 7)))).toBe("0c0012800500010007000000");
  });

  test("more than 65535 bytes are refused: the length has 16 bits", () => {
    expect(hex((w) => putBytes(w, 1, new Uint8Array(0xffff - 4))).length).toBe(0x10000 * 2);
    expect(() => hex((w) => putBytes(w, 1, new Uint8Array(0xffff - 3)))).toThrow(
      "attribute 1 has 65536 bytes, 65535 fit",
    );
  });

  test("a type that has no 16 bits is refused, not cut", () => {
    for (const type of [-1, 0x10000, 1.5]) {
      for (const put of [putU8, putU32]) {
        expect(() => hex((w) => put(w, type, 1))).toThrow(`attribute type ${type} does not fit: 0 to 65535`);
      }
    }
  });
});

describe("decoding", () => {
  test("any attributes survive, flags, order and repetition included", () => {
    fc.assert(
      fc.property(fc.array(raw), (attributes) => {
        const bytes = encodeAttributes((writer) => putRaw(writer, attributes));
        expect(new Attributes(bytes).unread()).toEqual(attributes);
        expect(new Attributes(bytes).list()).toEqual(attributes);
      }),
    );
  });

  test("accessors read what the writers wrote", () => {
    const bytes = encodeAttributes((w) => {
      putU8(w, 1, 1);
      putU16(w, 2, 2);
      putU32(w, 3, 3);
      putI32(w, 4, -4);
      putU32be(w, 5, 5);
      putU64be(w, 6, 6n);
      putString(w, 7, "seven");
      putText(w, 8, "eight");
      putNested(w, 9, (inner) => putU8(inner, 1, 9));
    });
    const a = new Attributes(bytes);
    expect([a.u8(1), a.u16(2), a.u32(3), a.i32(4), a.u32be(5), a.u64be(6)]).toEqual([1, 2, 3, -4, 5, 6n]);
    expect([a.string(7), a.string(8), a.nested(9)?.u8(1)]).toEqual(["seven", "eight", 9]);
    expect(a.unread()).toEqual([]);
  });

  test("what is absent is undefined", () => {
    const a = new Attributes(new Uint8Array());
    expect([a.u8(1), a.u16(1), a.u32(1), a.i32(1), a.u32be(1), a.u64be(1)]).toEqual(Array(6).fill(undefined));
    expect([a.string(1), a.bytes(1), a.nested(1)]).toEqual([undefined, undefined, undefined]);
  });

  test("flags are no part of the type", () => {
    expect(decoded("0800038001000000").u32(3)).toBe(1);
    expect(decoded("0800034001000000").u32(3)).toBe(1);
    expect(attributeType({ type: 0xc003, payload: new Uint8Array() })).toBe(3);
  });

  test("of several of a type the last counts", () => {
    expect(decoded("05000100010000000500010002000000").u8(1)).toBe(2);
  });

  test("the padding of the last may be missing", () => {
    expect(decoded("0500010001").u8(1)).toBe(1);
  });

  test("unread leaves out what was asked for, also what was absent or of another form", () => {
    const a = decoded("0500010001000000050002000200000005000380030000000500048004000000");
    a.u8(1);
    a.bytes(3);
    a.bytes(77);
    expect(a.unread().map(attributeType)).toEqual([2, 4]);
    expect(a.list().length).toBe(4);
    expect(a.unread()).toEqual([]);
  });

  test.each([
    ["a length of 0", "00000100"],
    ["a length shorter than the header", "03000100"],
    ["a length beyond the end", "09000100000000"],
    ["half a header", "0400"],
    ["a rest behind the last", "0500010001000000ff"],
  ])("%s is a DecodeError", (_, text) => {
    expect(() => decoded(text)).toThrow(DecodeError);
  });

  test("a payload of another size than asked for is a DecodeError", () => {
    const a = decoded("0500010001000000");
    expect(a.u8(1)).toBe(1);
    for (const read of [() => a.u16(1), () => a.u32(1), () => a.i32(1), () => a.u32be(1), () => a.u64be(1)])
      expect(read).toThrow(DecodeError);
    expect(() => a.nested(1)).toThrow(DecodeError);
    const long = decoded("0800010001000000");
    expect(long.u32(1)).toBe(1);
    expect(() => long.u8(1)).toThrow("attribute 1 has 4 bytes instead of 1");
    expect(() => long.u16(1)).toThrow(DecodeError);
  });
});

test("present drops undefined fields and keeps all others", () => {
  const fields = present({ a: undefined, b: 0, c: false, d: "" });
  expect(Object.keys(fields)).toEqual(["b", "c", "d"]);
});
