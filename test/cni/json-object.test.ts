import { describe, expect, test } from "bun:test";
import { arrayOf, JsonObject, wrongType } from "../../src/cni/json-object.ts";
import { thrownBy } from "./fake-host.ts";

const object = (value: unknown, path = ""): JsonObject => JsonObject.from(value, path);

describe("A14: keys without regard to case", () => {
  test("the exact spelling comes first, wherever it stands", () => {
    expect(object({ NAME: "a", name: "b", Name: "c" }).string("name")).toBe("b");
    expect(object({ Name: "a", iD: 1 }).string("name")).toBe("a");
  });

  test("null counts as absent", () => {
    expect(object({ a: null }).string("a")).toBeUndefined();
    expect(object({ A: null }).object("a")).toBeUndefined();
  });

  test("keys that JavaScript objects inherit are absent", () => {
    expect(object({}).get("constructor")).toBeUndefined();
    expect(object(JSON.parse('{"__proto__": {"a": 1}}')).get("a")).toBeUndefined();
  });
});

describe("A14: wrong types are rejected with the key's path", () => {
  const ipam = object({ ipam: { ranges: [[{ subnet: 5 }], "x"], on: "yes", n: 1.5, big: 2 ** 53 } }).object(
    "ipam",
  );
  test.each([
    ["string", 'key "ipam.on" must be true or false, not "yes"', () => ipam?.boolean("on")],
    ["fraction", 'key "ipam.n" must be a whole number, not 1.5', () => ipam?.integer("n")],
    [
      "inexact number",
      'key "ipam.big" must be a whole number, not 9007199254740992',
      () => ipam?.integer("big"),
    ],
    ["array", 'key "ipam.ranges" must be an object, not an array', () => ipam?.object("ranges")],
    ["no array", 'key "ipam.on" must be an array, not "yes"', () => ipam?.array("on", String)],
    ["list item", 'key "ipam.ranges[0]" must be a string, not an array', () => ipam?.strings("ranges")],
    [
      "deep value",
      'key "ipam.ranges[0][0].subnet" must be a string, not 5',
      () =>
        ipam?.array("ranges", (set, path) =>
          arrayOf(set, path, (range, at) => JsonObject.from(range, at).string("subnet")),
        ),
    ],
  ])("%s: %s", (_, message, action) => {
    const error = thrownBy(action);
    expect(error.code).toBe(6);
    expect(error.message).toBe(`cannot decode: ${message}`);
  });

  test("the document itself", () => {
    for (const value of [[], null, "x", 1, true]) {
      expect(thrownBy(() => object(value)).message).toContain(
        "the network configuration must be an object, not ",
      );
    }
  });

  test("a missing key is said to be missing", () => {
    expect(wrongType("a.b", "a string", undefined).message).toBe(
      'cannot decode: key "a.b" is missing; it must be a string',
    );
  });

  test("a long value is cut, a deep one does no harm", () => {
    expect(wrongType("a", "a number", "x".repeat(1000)).message.length).toBeLessThan(120);
    let deep: unknown = 1;
    for (let depth = 0; depth < 200_000; depth++) deep = [deep];
    expect(wrongType("a", "a number", deep).message).toContain("not an array");
  });
});

test("values of the right type come back", () => {
  const json = object({ s: "", b: false, n: 0, o: { x: 1 }, a: [1, 2], t: ["a"] }, "root");
  expect([json.string("s"), json.boolean("b"), json.integer("n")]).toEqual(["", false, 0]);
  expect(json.object("o")?.at("x")).toBe("root.o.x");
  expect(json.array("a", (value, path) => `${path}=${value}`)).toEqual(["root.a[0]=1", "root.a[1]=2"]);
  expect(json.strings("t")).toEqual(["a"]);
});
