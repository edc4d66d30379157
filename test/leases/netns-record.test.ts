import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatRecord, type NetnsRecord, parseRecord } from "../../src/leases/netns-record.ts";

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyRecord: fc.Arbitrary<NetnsRecord> = fc.record({
  boot: hex(16),
  netns: fc.record({ inode: u64.map(String), cookie: u64 }),
  pidNamespace: u64.map(String),
});

test("L4: a written record is read again", () => {
  fc.assert(
    fc.property(anyRecord, fc.string(), (record, content) => {
      expect(parseRecord(formatRecord(record, content), content)).toEqual(record);
    }),
  );
});

test("L4: a record for another content is ignored", () => {
  fc.assert(
    fc.property(anyRecord, fc.string(), fc.string(), (record, content, other) => {
      fc.pre(content !== other);
      expect(parseRecord(formatRecord(record, content), other)).toBeUndefined();
    }),
  );
});

test("L4: any other text is not a record", () => {
  const record = {
    boot: "0123456789abcdef",
    netns: { inode: "4026532000", cookie: 9n },
    pidNamespace: "4026531836",
  };
  const text = formatRecord(record, "c\r\neth0");
  expect(text.length).toBeLessThanOrEqual(60);
  for (const other of [
    "",
    "1",
    text.slice(1),
    `${text}0`,
    text.replace("1 ", "2 "),
    text.toUpperCase(),
    `${text} `,
  ]) {
    expect(parseRecord(other, "c\r\neth0")).toBeUndefined();
  }
  fc.assert(fc.property(fc.string(), (other) => parseRecord(other, "c\r\neth0") === undefined));
});
