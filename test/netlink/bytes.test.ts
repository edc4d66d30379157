import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../../src/netlink/bytes.ts";
import { DecodeError } from "../../src/netlink/error.ts";

const number = (low: number, high: number) => fc.integer({ min: low, max: high });
const long = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

type Item =
  | { kind: "u8" | "u16" | "u16be" | "u32" | "u32be" | "i32" | "i32be"; value: number }
  | { kind: "u64"; value: bigint }
  | { kind: "u64be"; value: bigint }
  | { kind: "bytes"; value: Uint8Array };

/** One thing to be written, and the same to be read. */
const item = fc.oneof<fc.Arbitrary<Item>[]>(
  fc.record({ kind: fc.constant("u8"), value: number(0, 0xff) }),
  fc.record({ kind: fc.constantFrom("u16", "u16be"), value: number(0, 0xffff) }),
  fc.record({ kind: fc.constantFrom("u32", "u32be"), value: number(0, 0xffffffff) }),
  fc.record({ kind: fc.constantFrom("i32", "i32be"), value: number(-0x80000000, 0x7fffffff) }),
  fc.record({ kind: fc.constant("u64"), value: long }),
  fc.record({ kind: fc.constant("u64be"), value: long }),
  fc.record({ kind: fc.constant("bytes"), value: fc.uint8Array({ maxLength: 700 }) }),
);

function write(writer: ByteWriter, one: Item): void {
  if (one.kind === "bytes") writer.bytes(one.value);
  else if (one.kind === "u64" || one.kind === "u64be") writer[one.kind](one.value);
  else writer[one.kind](one.value);
}

const written = (items: readonly Item[]): Uint8Array => {
  const writer = new ByteWriter();
  for (const one of items) write(writer, one);
  return writer.finish();
};

test("all that is written is read, across each growth of the buffer", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 300 }), (items) => {
      const reader = new ByteReader(written(items));
      for (const { kind, value } of items) {
        const read: unknown = kind === "bytes" ? reader.bytes(value.length) : reader[kind]();
        expect(read).toEqual(value);
      }
      expect(reader.remaining).toBe(0);
    }),
  );
});

describe("numbers", () => {
  const one = (kind: Exclude<Item["kind"], "bytes" | "u64" | "u64be">, value: number) => {
    const writer = new ByteWriter();
    writer[kind](value);
    return writer.finish().toHex();
  };

  test("stand in the order that the name says", () => {
    expect(one("u8", 0x12)).toBe("12");
    expect(one("u16", 0x1234)).toBe("3412");
    expect(one("u16be", 0x1234)).toBe("1234");
    expect(one("u32", 0x12345678)).toBe("78563412");
    expect(one("u32be", 0x12345678)).toBe("12345678");
    expect(one("i32", -2)).toBe("feffffff");
    expect(one("i32be", -2)).toBe("fffffffe");
    const writer = new ByteWriter();
    writer.u64(0x0102030405060708n);
    writer.u64be(0x0102030405060708n);
    expect(writer.finish().toHex()).toBe("08070605040302010102030405060708");
  });

  test("that do not fit are refused, and nothing is written", () => {
    const bad = { u8: 0xff, u16: 0xffff, u16be: 0xffff, u32: 0xffffffff, u32be: 0xffffffff } as const;
    for (const [kind, max] of Object.entries(bad) as [keyof typeof bad, number][]) {
      for (const value of [-1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
        expect(() => one(kind, value)).toThrow(RangeError);
      expect(one(kind, max)).toMatch(/^f+$/);
    }
    for (const kind of ["i32", "i32be"] as const) {
      expect(() => one(kind, 0x80000000)).toThrow(RangeError);
      expect(() => one(kind, -0x80000001)).toThrow(RangeError);
    }
    const writer = new ByteWriter();
    for (const value of [-1n, 1n << 64n]) {
      expect(() => writer.u64(value)).toThrow(RangeError);
      expect(() => writer.u64be(value)).toThrow(RangeError);
    }
    const at = writer.reserve(4);
    expect(() => writer.patchU16(at, 0x10000)).toThrow(RangeError);
    expect(() => writer.patchU32(at, -1)).toThrow(RangeError);
    expect(writer.finish().toHex()).toBe("00000000");
  });
});

describe("ByteWriter", () => {
  test("a byte that makes the buffer grow is not lost", () => {
    const writer = new ByteWriter();
    for (let index = 0; index < 5000; index++) writer.u8(index % 251);
    expect(writer.finish()).toEqual(Uint8Array.from({ length: 5000 }, (_, index) => index % 251));
  });

  test("reserves, patches, pads with zeros", () => {
    const writer = new ByteWriter();
    const at = writer.reserve(6);
    writer.u8(1);
    writer.patchU32(at, 0x04030201);
    writer.patchU16(at + 4, 0x0605);
    writer.pad(4);
    writer.pad(4);
    expect(writer.finish().toHex()).toBe("0102030405060100");
    expect(writer.length).toBe(8);
  });

  test("what is finished does not change any more", () => {
    const writer = new ByteWriter();
    writer.u32(1);
    const before = writer.finish();
    writer.patchU32(0, 2);
    expect(before.toHex()).toBe("01000000");
  });
});

describe("ByteReader", () => {
  test("no read goes past the end, and a failed one reads nothing", () => {
    const reads: readonly ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.u16(),
      (reader) => reader.u16be(),
      (reader) => reader.u32(),
      (reader) => reader.u32be(),
      (reader) => reader.i32(),
      (reader) => reader.i32be(),
      (reader) => reader.u64(),
      (reader) => reader.u64be(),
      (reader) => reader.bytes(2),
      (reader) => reader.skip(2),
    ];
    for (const read of reads) {
      const reader = new ByteReader(Uint8Array.of(7));
      expect(() => read(reader)).toThrow(DecodeError);
      expect(reader.remaining).toBe(1);
      expect(reader.u8()).toBe(7);
      expect(() => reader.u8()).toThrow(DecodeError);
    }
  });

  test("stays within a view into larger memory", () => {
    const memory = Uint8Array.of(9, 9, 1, 2, 9, 9);
    const reader = new ByteReader(memory.subarray(2, 4));
    expect(reader.u16()).toBe(0x0201);
    expect(() => reader.u8()).toThrow("1 bytes wanted at offset 2, 0 left");
  });

  test("aligns to the next multiple, or to the end where padding was left out", () => {
    const reader = new ByteReader(new Uint8Array(6));
    reader.align(4);
    expect(reader.remaining).toBe(6);
    reader.skip(1);
    reader.align(4);
    expect(reader.remaining).toBe(2);
    reader.skip(1);
    reader.align(4);
    expect(reader.remaining).toBe(0);
  });
});
