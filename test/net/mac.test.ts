import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatMac, isUnicastMac, localMac, parseMac } from "../../src/net/mac.ts";

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });

describe("parseMac", () => {
  test("reads what formatMac writes, in either case and with either separator", () => {
    fc.assert(
      fc.property(mac, (bytes) => {
        const text = formatMac(bytes);
        expect(text).toBe(bytes.toHex().replace(/(..)(?!$)/g, "$1:"));
        const groups = bytes.toHex().replace(/(....)(?!$)/g, "$1.");
        for (const form of [text, text.toUpperCase(), text.replaceAll(":", "-"), groups]) {
          expect(parseMac(form)).toEqual(bytes);
        }
      }),
    );
  });

  test("takes nothing but six pairs or three groups", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0123456789abcdefg:-. "), maxLength: 20 });
    fc.assert(
      fc.property(text, (value) => {
        if (parseMac(value) !== undefined)
          expect(value).toMatch(/^([\da-f]{2}([:-][\da-f]{2}){5}|[\da-f]{4}(\.[\da-f]{4}){2})$/);
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    "",
    "02:00:5e:10:00",
    "02:00:5e:10:00:01:02",
    "02:00:5e:10:00:0g",
    "2:0:5e:10:0:1",
    "02005e100001",
    "0200.5e10.00010",
    "02:00:5e-10:00:01",
    "02-00:5e:10:00:01",
    " 02:00:5e:10:00:01",
    "02:00:5e:10:00:01\n",
    "02::5e:10:00:01:",
  ])("refuses %p", (text) => {
    expect(parseMac(text)).toBeUndefined();
  });
});

test("isUnicastMac: neither a group's address nor all zeros", () => {
  const unicast = (text: string) => isUnicastMac(parseMac(text) ?? new Uint8Array());
  expect(unicast("02:00:5e:10:00:01")).toBe(true);
  expect(unicast("00:00:00:00:00:01")).toBe(true);
  expect(unicast("00:00:00:00:00:00")).toBe(false);
  expect(unicast("01:00:5e:00:00:01")).toBe(false);
  expect(unicast("ff:ff:ff:ff:ff:ff")).toBe(false);
  expect(isUnicastMac(new Uint8Array())).toBe(false);
});

test("localMac: unicast, locally administered, else as it was", () => {
  const macs = Array.from({ length: 1000 }, () => localMac(crypto.getRandomValues(new Uint8Array(6))));
  for (const bytes of macs) {
    expect(bytes.length).toBe(6);
    expect((bytes[0] ?? 0) & 3).toBe(2);
    expect(isUnicastMac(bytes)).toBe(true);
  }
  expect(new Set(macs.map(formatMac)).size).toBe(1000);
  // All other bits vary.
  const [ones, zeros] = [new Uint8Array(6), new Uint8Array(6).fill(255)];
  for (const bytes of macs) {
    for (const [index, byte] of bytes.entries()) {
      ones[index] = (ones[index] ?? 0) | byte;
      zeros[index] = (zeros[index] ?? 0) & byte;
    }
  }
  expect(ones.toHex()).toBe("feffffffffff");
  expect(zeros.toHex()).toBe("020000000000");
});
