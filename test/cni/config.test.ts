import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LIST_KEYS } from "../../src/cni/attachment-lists.ts";
import { decodeDocument, readNetworkConfig, requireValidAttachments } from "../../src/cni/config.ts";
import { COMMANDS, type Command } from "../../src/cni/environment.ts";
import type { CniError } from "../../src/cni/error.ts";
import { bytes, configOf, prefix, thrownBy } from "./fake-host.ts";

const parse = (stdin: string | Uint8Array) =>
  readNetworkConfig(decodeDocument(typeof stdin === "string" ? bytes(stdin) : stdin), "ADD");
const errorFor = (stdin: string | Uint8Array): CniError => thrownBy(() => parse(stdin));

describe("A9: anything but a JSON object is refused with code 6 and the place of the fault", () => {
  test.each([
    ["nothing", "", "line 1, column 1: unexpected end, expected a value"],
    ["a trailing comma", '{\n "name": "n",\n}', 'line 3, column 1: unexpected "}"'],
    ["something behind it", '{"name": "n"} x', 'line 1, column 15: unexpected "x", expected the end'],
    ["a byte order mark", '\ufeff{"name": "n"}', "line 1, column 1: unexpected U+FEFF"],
    ["an array", "[]", "the network configuration must be an object, not an array"],
    ["null", "null", "the network configuration must be an object, not null"],
    ["text", '"name"', 'the network configuration must be an object, not "name"'],
  ])("%s", (_, stdin, problem) => {
    const error = errorFor(stdin);
    expect(error.code).toBe(6);
    expect(error.message).toContain("cannot decode");
    expect(error.message).toContain(problem);
  });

  test("invalid UTF-8", () => {
    const error = errorFor(Uint8Array.from([...bytes('{"name": "'), 0xe9, ...bytes('"}')]));
    expect([error.code, error.message]).toEqual([
      6,
      "cannot decode the network configuration: line 1, column 11: byte 0xe9 is not UTF-8",
    ]);
  });

  test("any depth is read or refused without a crash", () => {
    const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parse(`{"name": "n", "x": ${deep(9_999)}}`).name).toBe("n");
    expect(errorFor(`{"name": ${deep(9_999)}}`).message).toContain('"name" must be a string, not an array');
    for (const end of [deep(10_000), deep(2 ** 20), "[".repeat(2 ** 21)]) {
      const { code, message } = errorFor(`{"name": ${end}`);
      expect([code, message]).toEqual([
        6,
        'cannot decode the network configuration: line 1, column 10009: unexpected "[", expected at most 10000 levels of objects and arrays',
      ]);
    }
    for (const key of LIST_KEYS) {
      const list = `[${deep(20_000)},${"[],".repeat(2 ** 19)}[]]`;
      expect(errorFor(`{"name": "n", "${key}": ${list}}`).message).toContain("at most 10000 levels");
    }
    expect(errorFor("[".repeat(2 ** 21)).message).toContain("line 1, column 10001: ");
    expect(errorFor(`[${"[],".repeat(2 ** 20)}[]]`).message).toContain(
      "more than 1048576 objects and arrays",
    );
  });

  test("K5: the place of a fault in a long text", () => {
    const { code, message } = errorFor(`{"name": "n",\n"x": "${"x".repeat(3_000_000)}", }`);
    expect([code, message]).toEqual([
      6,
      'cannot decode the network configuration: line 2, column 3000010: unexpected "}", expected a key in double quotes',
    ]);
  });
});

describe("A10: the network's name", () => {
  test.each(["{}", '{"name": ""}', '{"name": null}'])("%s lacks it", (stdin) => {
    const error = errorFor(stdin);
    expect([error.code, error.message]).toEqual([7, "missing network name"]);
  });

  test.each(["..", "a/b", "a b", "-a", "a\n", "é"])("%j has invalid characters", (name) => {
    const error = errorFor(JSON.stringify({ name }));
    expect([error.code, error.message, error.details]).toEqual([
      7,
      "invalid characters found in network name",
      name,
    ]);
  });

  test("K2: more than 255 bytes are refused by ADD and STATUS", () => {
    const read = (command: Command, length: number) =>
      readNetworkConfig(decodeDocument(bytes(configOf({ name: "n".repeat(length) }))), command).name.length;
    for (const command of COMMANDS) expect(read(command, 255)).toBe(255);
    for (const command of ["ADD", "STATUS"] as const) {
      const error = thrownBy(() => read(command, 256));
      expect([error.code, error.message]).toEqual([
        7,
        'network name is too long: "name" has 256 bytes, at most 255 are allowed',
      ]);
    }
    for (const command of ["CHECK", "DEL", "GC"] as const) expect(read(command, 256)).toBe(256);
  });

  test("of another type is a decoding error", () => {
    expect(errorFor('{"name": 5}').code).toBe(6);
  });

  test("is checked before the version", () => {
    expect(errorFor('{"cniVersion": "9"}').code).toBe(7);
  });
});

test("A11: the version, 0.1.0 when absent", () => {
  expect(parse('{"name": "n"}').cniVersion).toBe("0.1.0");
  expect(parse('{"name": "n", "cniVersion": "1.0.0"}').cniVersion).toBe("1.0.0");
  expect(errorFor('{"name": "n", "cniVersion": "7.0.0"}').code).toBe(1);
  expect(errorFor('{"name": "n", "cniVersion": 1}').code).toBe(6);
});

describe("A14: keys", () => {
  test("unknown and reserved keys are accepted and stay in the document", () => {
    const config = parse(
      configOf({ ipRange: "x", capabilities: { mac: true }, "cni.dev/new": 1, args: { cni: {} } }),
    );
    expect(config.json.ipRange).toBe("x");
  });

  test("match without regard to case", () => {
    expect(parse('{"NAME": "n", "CniVersion": "0.4.0"}')).toMatchObject({ name: "n", cniVersion: "0.4.0" });
  });

  test("the exact spelling wins", () => {
    expect(parse('{"name": "right", "NAME": "wrong"}').name).toBe("right");
  });
});

describe("prevResult", () => {
  const previous = { cniVersion: "0.2.0", ip4: { ip: "10.0.0.2/24" } };

  test("is undefined when there is none", () => {
    expect(parse(configOf()).prevResult).toBeUndefined();
    expect(parse(configOf({ prevResult: null })).prevResult).toBeUndefined();
  });

  test("has its own version, else the configuration's", () => {
    const ips = [{ address: prefix("10.0.0.2/24") }];
    expect(parse(configOf({ prevResult: previous })).prevResult?.ips).toEqual(ips);
    const { cniVersion: _, ...unversioned } = previous;
    expect(parse(configOf({ cniVersion: "0.2.0", prevResult: unversioned })).prevResult?.ips).toEqual(ips);
    expect(parse(configOf({ cniVersion: "1.1.0", prevResult: unversioned })).prevResult?.ips).toEqual([]);
  });

  test("is read on first use, and once", () => {
    const config = parse(configOf({ prevResult: previous }));
    expect(config.prevResult).toBe(config.prevResult);
    const broken = parse(configOf({ prevResult: { ips: 5 } }));
    expect(thrownBy(() => broken.prevResult).message).toContain(
      'key "prevResult.ips" must be an array, not 5',
    );
  });

  test("is refused at once when it is not an object", () => {
    expect(errorFor(configOf({ prevResult: [] })).message).toContain('key "prevResult" must be an object');
  });
});

describe("A37, A39, K28: valid attachments", () => {
  const one = [{ containerID: "a", ifname: "eth0" }];
  const parsed = [{ containerId: "a", ifname: "eth0" }];

  test.each([
    ["the list", { "cni.dev/valid-attachments": one }, parsed],
    ["the older key", { "cni.dev/attachments": one }, parsed],
    ["null and the older key", { "cni.dev/valid-attachments": null, "cni.dev/attachments": one }, parsed],
    ["both", { "cni.dev/valid-attachments": [], "cni.dev/attachments": one }, []],
    ["an empty list", { "cni.dev/valid-attachments": [] }, []],
    ["null, libcni's empty list", { "cni.dev/valid-attachments": null }, []],
    ["both null", { "cni.dev/valid-attachments": null, "cni.dev/attachments": null }, []],
    ["null under the older key", { "cni.dev/attachments": null }, []],
    ["null in another spelling", { "CNI.dev/valid-attachments": null }, []],
  ])("%s", (_, keys, expected) => {
    const config = parse(configOf(keys));
    expect([...requireValidAttachments(config)]).toEqual(expected);
  });

  test("K28: an absent list is an error with code 7, not an empty list", () => {
    const config = parse(configOf({}));
    expect(thrownBy(() => requireValidAttachments(config)).code).toBe(7);
  });

  test.each([
    [{}, 'key "cni.dev/valid-attachments" must be an array, not an object'],
    [["a"], 'key "cni.dev/valid-attachments[0]" must be an object, not "a"'],
    [[...one, { ifname: "e" }], 'key "cni.dev/valid-attachments[1].containerID" is missing'],
    [[{ containerID: "a" }], 'key "cni.dev/valid-attachments[0].ifname" is missing'],
    [
      [{ containerID: "", ifname: "e" }],
      '[0].containerID" is missing; it must be a string that is not empty',
    ],
    [[{ containerID: 1, ifname: "e" }], '[0].containerID" must be a string, not 1'],
  ])(
    "%j is refused: an entry that matches nothing would cost a live container its address",
    (list, message) => {
      const error = errorFor(configOf({ "cni.dev/valid-attachments": list }));
      expect(error.code).toBe(6);
      expect(error.message).toContain(message as string);
    },
  );
});

test("A9–A15: any bytes give a configuration or a CniError", () => {
  const documents = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json().map(bytes),
    fc
      .record({
        cniVersion: fc.oneof(fc.constantFrom("1.1.0", "0.2.0", ""), fc.jsonValue()),
        name: fc.oneof(fc.constant("net"), fc.jsonValue()),
        prevResult: fc.jsonValue(),
        "cni.dev/valid-attachments": fc.jsonValue(),
      })
      .map((document) => bytes(JSON.stringify(document))),
  );
  fc.assert(
    fc.property(documents, (stdin) => {
      try {
        const config = parse(stdin);
        void config.prevResult;
        expect(config.name).not.toBe("");
      } catch (error) {
        expect([1, 6, 7]).toContain(
          thrownBy(() => {
            throw error;
          }).code,
        );
        expect((error as Error).message).not.toBe("");
      }
    }),
    { numRuns: 500 },
  );
});
