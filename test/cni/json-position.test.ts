import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { describeJsonFault } from "../../src/cni/json-position.ts";

const faultOf = (text: string) => describeJsonFault(new TextEncoder().encode(text));

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe("A9: the place of a fault", () => {
  test.each([
    ["", "line 1, column 1: unexpected end, expected a value"],
    [" \n ", "line 2, column 2: unexpected end, expected a value"],
    ["{", 'line 1, column 2: unexpected end, expected a key in double quotes or "}"'],
    ['{"a"', 'line 1, column 5: unexpected end, expected ":"'],
    ['{"a":1', 'line 1, column 7: unexpected end, expected "," or "}"'],
    ['{"a": 1,\n}', 'line 2, column 1: unexpected "}", expected a key in double quotes'],
    ["{'a': 1}", 'line 1, column 2: unexpected "\'", expected a key in double quotes or "}"'],
    ["[1 2]", 'line 1, column 4: unexpected "2", expected "," or "]"'],
    ["[1,]", 'line 1, column 4: unexpected "]", expected a value'],
    ["[1}", 'line 1, column 3: unexpected "}", expected "," or "]"'],
    ["[,", 'line 1, column 2: unexpected ",", expected a value or "]"'],
    ['{\n  "é𝄞": tru}', 'line 2, column 9: unexpected "tru", expected a value'],
    ['{"a": 01}', 'line 1, column 7: unexpected "01", expected a value'],
    ["-", 'line 1, column 1: unexpected "-", expected a value'],
    ["{} {}", 'line 1, column 4: unexpected "{", expected the end'],
    ['"a\nb"', "line 1, column 3: unexpected U+000A, expected the string's closing quote"],
    ['"a', "line 1, column 3: unexpected end, expected the string's closing quote"],
    ['"a\\x"', 'line 1, column 3: unexpected "\\\\", expected a valid escape'],
    ['"\\u12g4"', 'line 1, column 2: unexpected "\\\\", expected a valid escape'],
    ["\ufeff{}", "line 1, column 1: unexpected U+FEFF, expected a value"],
    ["// no\n{}", 'line 1, column 1: unexpected "/", expected a value'],
  ])("%j", (text, description) => {
    expect(isJson(text)).toBe(false);
    expect(faultOf(text)).toBe(description);
  });

  test("is where objects and arrays are nested too deeply, whatever follows", () => {
    expect(faultOf(nested(10_000))).toBeUndefined();
    const tooDeep = 'unexpected "[", expected at most 10000 levels of objects and arrays';
    expect(faultOf(nested(10_001))).toBe(`line 1, column 10001: ${tooDeep}`);
    expect(faultOf(`{"a":\n [1, ${"[".repeat(300_000)}`)).toBe(`line 2, column 10004: ${tooDeep}`);
    expect(faultOf(`[${Array(20_000).fill("[[]]")}]`)).toBeUndefined();
  });

  test("length does not matter", () => {
    expect(faultOf("[".repeat(10_000))).toContain("column 10001: unexpected end");
    expect(faultOf(`"${"a".repeat(6_000_000)}`)).toContain("column 6000002: unexpected end");
  });
});

test("A9: a fault is found exactly when the engine's parser refuses the text", () => {
  const unit = fc.constantFrom(
    ...'{}[],:"\\ \n',
    "0",
    "1",
    "-",
    ".",
    "e",
    "a",
    '"a"',
    "true",
    "null",
    "\\n",
    "\\u00e9",
  );
  const text = fc.oneof(
    fc.string({ unit, maxLength: 12 }),
    fc.tuple(fc.json(), fc.nat(), unit).map(([json, at, insert]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + insert + json.slice(place);
    }),
    fc.json(),
  );
  fc.assert(
    fc.property(text, (each) => {
      expect(faultOf(each) === undefined).toBe(isJson(each));
    }),
    { numRuns: 2000 },
  );
});
