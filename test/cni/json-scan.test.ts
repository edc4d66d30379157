import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { membersAt } from "../../src/cni/json-scan.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const membersOf = (text: string): [string, string][] =>
  [...membersAt(bytes(text), 0)].map(({ key, start }) => [key, text.slice(start)]);

describe("A9: the members of an object in bytes", () => {
  test("are given as often as they are written, with their values' places", () => {
    const text = ' { "a" : 1 , "\\u0061":{"a":[{"a":2},"}"]},"b\\"c": "x,y" } ';
    expect(membersOf(text)).toEqual([
      ["a", '1 , "\\u0061":{"a":[{"a":2},"}"]},"b\\"c": "x,y" } '],
      ["a", '{"a":[{"a":2},"}"]},"b\\"c": "x,y" } '],
      ['b"c', '"x,y" } '],
    ]);
  });

  test.each(["", "{}", "[1]", "7", '"{"', "{", '{"a"', '{"a":', "{a:1}", '{"a" 1}', '{"\\x": 1}'])(
    "there are none in %j, or what comes before the fault",
    (text) => {
      expect(membersOf(text).length).toBeLessThan(2);
    },
  );

  test("are those of the parser, for any object", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (object, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        expect(membersOf(text).map(([key]) => key)).toEqual(Object.keys(JSON.parse(text) as object));
      }),
    );
  });
});
