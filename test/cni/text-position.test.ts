import { describe, expect, test } from "bun:test";
import { describeUtf8Fault } from "../../src/cni/text-position.ts";

describe("A9: the place of bytes that are not UTF-8", () => {
  test.each([
    [[0xff], "line 1, column 1: byte 0xff is not UTF-8"],
    [[...Buffer.from('{\n"é')].concat(0x80), "line 2, column 3: byte 0x80 is not UTF-8"],
    [[...Buffer.from("\ufeff{"), 0xff], "line 1, column 3: byte 0xff is not UTF-8"],
    [[0x61, 0xef], "line 1, column 2: byte 0xef is not UTF-8"],
    [[0x61, 0xef, 0xbf], "line 1, column 2: byte 0xef is not UTF-8"],
    // U+FFFD itself is a valid character.
    [[...Buffer.from("\ufffd"), 0xc3, 0x28], "line 1, column 2: byte 0xc3 is not UTF-8"],
  ])("%j", (bytes, description) => {
    expect(describeUtf8Fault(Uint8Array.from(bytes as number[]))).toBe(description as string);
  });

  test("in a text of any length and at any place in it", () => {
    const text = "é𝄞\n€a".repeat(40_000);
    const valid = new TextEncoder().encode(text);
    expect(describeUtf8Fault(valid)).toBeUndefined();
    for (const characters of [0, 21_843, 21_844, 21_845, 21_846, 100_000]) {
      const [before, after] = [[...text].slice(0, characters), [...text].slice(characters)];
      const bytes = Buffer.concat([
        Buffer.from(before.join("")),
        Buffer.of(0x9f),
        Buffer.from(after.join("")),
      ]);
      const lines = before.join("").split("\n");
      const column = [...(lines.at(-1) ?? "")].length + 1;
      expect(describeUtf8Fault(bytes)).toBe(`line ${lines.length}, column ${column}: byte 0x9f is not UTF-8`);
    }
  });
});
