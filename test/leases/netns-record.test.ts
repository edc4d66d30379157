import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatIdentity, type Identity, parseIdentity } from "../../src/leases/netns-record.ts";

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyIdentity: fc.Arbitrary<Identity> = fc.record({
  boot: hex(16),
  netns: fc.record({ inode: u64.map(String), cookie: u64 }),
  pidNamespace: u64.map(String),
});

test("L4: what is recorded is read again", () => {
  fc.assert(
    fc.property(anyIdentity, fc.string(), (identity, content) => {
      expect(parseIdentity(formatIdentity(identity, content), content)).toEqual(identity);
    }),
  );
});

test("L4: what was recorded for another content counts for nothing", () => {
  fc.assert(
    fc.property(anyIdentity, fc.string(), fc.string(), (identity, content, other) => {
      fc.pre(content !== other);
      expect(parseIdentity(formatIdentity(identity, content), other)).toBeUndefined();
    }),
  );
});

test("L4: no other text is an identity", () => {
  const identity = {
    boot: "0123456789abcdef",
    netns: { inode: "4026532000", cookie: 9n },
    pidNamespace: "4026531836",
  };
  const text = formatIdentity(identity, "c\r\neth0");
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
    expect(parseIdentity(other, "c\r\neth0")).toBeUndefined();
  }
  fc.assert(fc.property(fc.string(), (other) => parseIdentity(other, "c\r\neth0") === undefined));
});
