/** Reading objects by a table of keys: accepted values, and errors for the others. */
import { describe, expect, test } from "bun:test";
import { KeyError, wrongType } from "../../src/schema/key-error.ts";
import type { Document, Keys, Parsed } from "../../src/schema/keys.ts";
import { get, objectOf, parse } from "../../src/schema/parse.ts";

const RANGE = [
  ["subnet", "prefix!", null, ""],
  ["gateway", "address", null, ""],
] as const satisfies Keys;

const KEYS = [
  ["text", "text", "usual", ""],
  ["on", "boolean", false, ""],
  ["count", "integer", null, ""],
  ["vlan", "0..4094", 0, ""],
  ["mtu", "0|68..65535", null, ""],
  ["backend", "iptables|nftables", null, ""],
  ["file", "path", null, ""],
  ["gateway", "address", null, ""],
  ["mac", "mac", null, "", null, "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC"],
  ["ips", "address/length[]", null, "", null, "args.cni.ips CNI_ARGS.IP"],
  ["names", "text[]", null, ""],
  ["inner", "object", null, "", [["deep", "text", null, ""]]],
  ["ranges", "object[][]", null, "", RANGE],
  ["whole", "any", null, ""],
] as const satisfies Keys;

const read = (document: Document, variables?: Document): Parsed<typeof KEYS> =>
  parse(KEYS, document, "", { document, variables });

function refusal(document: unknown, path = "", keys: Keys = KEYS): KeyError {
  try {
    parse(keys, document, path, { document: document as Document, variables: undefined });
  } catch (error) {
    if (error instanceof KeyError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("values of the right type are returned, and absent ones have the table's default", () => {
  expect(read({})).toEqual({ text: "usual", on: false, vlan: 0 });
  const document = {
    text: "a",
    on: true,
    count: -1,
    vlan: 4094,
    mtu: 0,
    backend: "nftables",
    file: "/a",
    gateway: "10.0.0.1",
    names: ["a", ""],
    inner: { deep: "b", other: 1 },
    ranges: [[{ subnet: "10.1.2.0/24" }], []],
    whole: { a: [null] },
  };
  const { gateway, ranges, ...rest } = read(document);
  const { gateway: _, ranges: __, ...expected } = { ...document, inner: { deep: "b" } };
  expect(rest).toEqual(expected as typeof rest);
  expect(gateway).toEqual({ family: 4, value: 0x0a000001n });
  expect(ranges?.map((set) => set.map(({ subnet }) => subnet.length))).toEqual([[24], []]);
});

describe("A14: keys match in any case", () => {
  test("the exact spelling counts first, in any order", () => {
    expect(read({ TEXT: "a", text: "b", Text: "c" }).text).toBe("b");
    expect(read({ Text: "a", oN: true })).toMatchObject({ text: "a", on: true });
    expect(get({ Name: 1 }, "nAME")).toBe(1);
  });

  test("null and an empty text count as absent", () => {
    expect(read({ text: null, ON: null, gateway: "", backend: "", file: "" })).toEqual(read({}));
    // The exact spelling is present.
    expect(read({ text: null, TEXT: "a" }).text).toBe("usual");
  });
});

describe("A14: wrong types are rejected with the key's path", () => {
  test.each([
    ["string", 'key "ipam.on" must be true or false, not "yes"', { on: "yes" }],
    ["number", 'key "ipam.text" must be a string, not 1', { text: 1 }],
    ["empty", 'key "ipam.on" must be true or false, not ""', { on: "" }],
    ["fraction", 'key "ipam.count" must be a whole number, not 1.5', { count: 1.5 }],
    ["inexact number", 'key "ipam.count" must be a whole number, not 9007199254740992', { count: 2 ** 53 }],
    ["bounded text", 'key "ipam.vlan" must be a whole number, not "1"', { vlan: "1" }],
    [
      "empty list elsewhere",
      'key "runtimeConfig.mac" must be a string, not an array',
      { runtimeConfig: { mac: [] } },
    ],
    ["array", 'key "ipam.inner" must be an object, not an array', { inner: [] }],
    ["no array", 'key "ipam.names" must be an array, not "yes"', { names: "yes" }],
    ["list item", 'key "ipam.names[1]" must be a string, not an array', { names: ["a", []] }],
    ["set", 'key "ipam.ranges[1]" must be an array, not "x"', { ranges: [[], "x"] }],
    ["deep value", 'key "ipam.ranges[0][0].subnet" must be a string, not 5', { ranges: [[{ subnet: 5 }]] }],
  ])("%s: %s", (_, message, document) => {
    const error = refusal(document, "ipam");
    expect([error.isOfValue, error.message]).toEqual([false, `cannot decode: ${message}`]);
  });

  test("the document itself", () => {
    for (const value of [[], null, "x", 1, true]) {
      expect(() => objectOf(value, "")).toThrow("the network configuration must be an object, not ");
    }
  });

  test("a missing key is reported as missing", () => {
    expect(wrongType("a.b", "a string", undefined).message).toBe(
      'cannot decode: key "a.b" is missing; it must be a string',
    );
  });

  test("a long value is cut, and a deep one is harmless", () => {
    expect(wrongType("a", "a number", "x".repeat(1000)).message.length).toBeLessThan(120);
    let deep: unknown = 1;
    for (let depth = 0; depth < 200_000; depth++) deep = [deep];
    expect(wrongType("a", "a number", deep).message).toContain("not an array");
  });
});

test("invalid values are reported with the rule", () => {
  const cases: readonly [Document, string][] = [
    [{ vlan: 4095 }, "invalid vlan 4095 (must be between 0 and 4094)"],
    [{ vlan: -1 }, "invalid vlan -1 (must be between 0 and 4094)"],
    [{ mtu: 67 }, "invalid mtu 67 (must be 0 or between 68 and 65535)"],
    [{ backend: "pf" }, 'invalid backend "pf" (must be "iptables" or "nftables")'],
    [{ file: "/a\0" }, 'file: "/a\\u0000" is not a path: it contains a NUL byte'],
    [{ gateway: "10.0.0.1/8" }, 'gateway: invalid IP address "10.0.0.1/8"'],
    [{ ranges: [[{ subnet: "10.0.0.1" }]] }, 'ranges[0][0].subnet: invalid CIDR address "10.0.0.1"'],
    [{ ranges: [[{}]] }, "ranges[0][0].subnet: missing; it must be an IP address with its prefix length"],
    [{ ranges: [[{ subnet: "" }]] }, "ranges[0][0].subnet: missing"],
    [{ args: { cni: { ips: ["10.0.0.1", ""] } } }, 'args.cni.ips[1]: invalid IP address ""'],
    [
      { runtimeConfig: { mac: "01:00:5e:00:00:01" } },
      'invalid MAC address "01:00:5e:00:00:01" (runtimeConfig.mac)',
    ],
  ];
  for (const [document, message] of cases) {
    const error = refusal(document);
    expect(error.message).toStartWith(message);
    expect(error.isOfValue).toBe(true);
  }
});

describe("a key that is read from other places", () => {
  const [first, second, third] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
  const mac = (document: Document, variables?: Document) => read(document, variables).mac?.at(-1);

  test("B7: has the value of the first place that has one", () => {
    const args = { cni: { mac: second } };
    expect(mac({ mac: first })).toBeUndefined();
    expect(mac({ runtimeConfig: { mac: first }, args }, { MAC: third })).toBe(1);
    expect(mac({ RuntimeConfig: { MAC: "" }, args }, { MAC: third })).toBe(2);
    expect(mac({ runtimeConfig: {}, args: { cni: null } }, { MAC: third })).toBe(3);
  });

  test("A52: an empty list counts as absent, and one text in CNI_ARGS is a list", () => {
    const ips = (document: Document, variables?: Document) =>
      read(document, variables).ips?.map(({ value }) => value);
    expect(ips({ args: { cni: { ips: ["10.0.0.2/8"] } } }, { IP: "10.0.0.3" })).toEqual([0x0a000002n]);
    expect(ips({ args: { cni: { ips: [] } } }, { IP: "10.0.0.3/24" })).toEqual([0x0a000003n]);
    expect(() => read({}, { IP: "x" })).toThrow('CNI_ARGS IP: invalid IP address "x"');
  });

  test("A14: a place of the wrong type is reported", () => {
    expect(refusal({ runtimeConfig: [] }).message).toContain('key "runtimeConfig" must be an object');
    expect(refusal({ args: { cni: "x" } }).message).toContain('key "args.cni" must be an object');
  });
});
