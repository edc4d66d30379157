/** K5: GC's lists, read in pieces of any size, equal what JSON.parse reads. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { takeLists } from "../../src/cni/attachment-lists.ts";
import { decodeDocument, readNetworkConfig, requireValidAttachments } from "../../src/cni/config.ts";
import { CniError, toCniError } from "../../src/cni/error.ts";
import { KeyError } from "../../src/schema/key-error.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (found: Uint8Array) => new TextDecoder().decode(found);

const KEYS = ["cni.dev/valid-attachments", "cni.dev/attachments", "CNI.dev/Attachments", "name", "x"];
const text = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1 }),
  fc.constantFrom('"', "\\", "]},{[", "\n"),
);
const attachment = fc.record({ containerID: text, ifname: text }, { noNullPrototype: true });
const list = fc.array(
  fc
    .tuple(
      attachment,
      fc.dictionary(fc.constantFrom("more", "ids"), fc.constantFrom(null, [1, "}"], { a: [] })),
    )
    .map(([a, b]) => ({ ...b, ...a })),
);
const document = fc.array(
  fc.tuple(fc.constantFrom(...KEYS), fc.oneof(list, list, fc.jsonValue({ maxDepth: 1 }))),
);
const written = fc
  .tuple(document, fc.constantFrom("", " ", "\n\t"))
  .map(
    ([entries, space]) =>
      `${space}{${entries
        .map(
          ([key, value]) =>
            `${space}${JSON.stringify(key)}${space}:${space}${JSON.stringify(value, null, space)}${space}`,
        )
        .join(",")}}${space}`,
  );

/** The result of both parsers for a text: its values, or that it is refused. */
function whole(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return "refused";
  }
}

function divided(json: string, piece: number): unknown {
  try {
    const { rest, lists } = takeLists(bytes(json), piece);
    const document = JSON.parse(textOf(rest)) as Record<string, unknown>;
    for (const [key, found] of lists)
      document[key] = new Set(Array.from(found, (one) => JSON.stringify(one)));
    return document;
  } catch (error) {
    return error instanceof CniError || error instanceof KeyError ? "no attachments" : "refused";
  }
}

/** The same for the value of JSON.parse. */
function expected(json: string): unknown {
  const document = whole(json);
  if (typeof document !== "object" || document === null) return document;
  const converted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(document)) {
    converted[key] = value;
    if (!/^cni\.dev\/(valid-)?attachments$/i.test(key) || !Array.isArray(value)) continue;
    const entries = value as { containerID?: unknown; ifname?: unknown }[];
    if (entries.some((entry) => !entry?.containerID || !entry.ifname)) return "no attachments";
    converted[key] = new Set(
      entries.map(({ containerID, ifname }) => JSON.stringify({ containerId: containerID, ifname })),
    );
  }
  return converted;
}

test("valid documents give the same lists and the same rest", () => {
  fc.assert(
    fc.property(written, fc.nat({ max: 60 }), (json, piece) => {
      const wanted = expected(json);
      fc.pre(wanted !== "no attachments");
      // The entries of a list are checked even if a later list with the same key replaces it.
      const found = divided(json, piece);
      if (found !== "no attachments") expect(found).toEqual(wanted);
    }),
    { numRuns: 200 },
  );
});

test("a text is refused exactly when it is not JSON", () => {
  const broken = fc
    .tuple(
      written,
      fc.nat(),
      fc.nat({ max: 3 }),
      fc.constantFrom("", ",", "]", "}", "[", "{", '"', "\\", ":", "0", "null"),
    )
    .map(([json, at, cut, insert]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + insert + json.slice(place + cut);
    });
  fc.assert(
    fc.property(broken, fc.nat({ max: 60 }), (json, piece) => {
      const found = divided(json, piece);
      if (found !== "no attachments") expect(found === "refused").toBe(whole(json) === "refused");
    }),
    { numRuns: 200 },
  );
});

describe("a large document", () => {
  const ATTACHMENTS = 30_000;
  const entries = Array.from({ length: ATTACHMENTS }, (_, index) => ({
    containerID: index.toString(16).padStart(64, "0"),
    ifname: "eth0",
  }));
  const large = (keys: object) => JSON.stringify({ cniVersion: "1.1.0", name: "n", ...keys }, null, 1);
  const both = { "cni.dev/attachments": entries, "cni.dev/valid-attachments": entries, last: 1 };

  test("is read with its lists and all other keys", () => {
    const config = readNetworkConfig(decodeDocument(bytes(large(both))), "GC");
    const valid = requireValidAttachments(config);
    expect([...valid].length).toBe(ATTACHMENTS);
    expect(valid.has({ containerId: entries[77]?.containerID ?? "", ifname: "eth0" })).toBe(true);
    expect(valid.has({ containerId: entries[77]?.containerID ?? "", ifname: "eth1" })).toBe(false);
    expect([config.name, config.json.last]).toEqual(["n", 1]);
  });

  test("valid-attachments counts before attachments, even when it is empty", () => {
    const json = large({ ...both, "cni.dev/valid-attachments": [] });
    const config = readNetworkConfig(decodeDocument(bytes(json)), "GC");
    expect([...requireValidAttachments(config)]).toEqual([]);
  });

  const refusal = (json: string): string => {
    try {
      decodeDocument(bytes(json));
      return "nothing is thrown";
    } catch (error) {
      return toCniError(error).message.replace("cannot decode the network configuration: ", "");
    }
  };

  test.each([
    [
      "a fault in an entry",
      (json: string) => json.replace(/(?<=00752f",)/, ","),
      `line ${4 * ATTACHMENTS + 2}, column 86: unexpected ",", expected a key in double quotes`,
    ],
    ["a comma after the last entry", (json: string) => json.replace("}\n ],", "},\n ],"), "expected a value"],
    [
      "no comma between two entries",
      (json: string) => json.replace("},\n  {", "}\n  {"),
      'line 9, column 3: unexpected "{", expected "," or "]"',
    ],
    [
      "the wrong bracket",
      (json: string) => json.replace("}\n ],", "}\n },"),
      'unexpected "}", expected "," or "]"',
    ],
    ["no end", (json: string) => json.slice(0, 2_000_000), "unexpected end, expected"],
    ["more text after the document", (json: string) => `${json} 5`, 'unexpected "5", expected the end'],
    [
      "a fault after the lists",
      (json: string) => json.replace('"last": 1', '"last": +1'),
      'unexpected "+", expected a value',
    ],
    [
      "an entry without an id",
      (json: string) => json.replace(/"0*752f"/, '""'),
      'key "cni.dev/attachments[29999].containerID" is missing; it must be a string that is not empty',
    ],
  ])("%s: code 6, and where", (_, change, message) => {
    const json = large(both);
    expect(json.length).toBeGreaterThan(2 ** 20);
    expect(refusal(change(json))).toContain(message);
  });

  test("bytes that are not UTF-8", () => {
    const stdin = bytes(large(both));
    stdin[stdin.length - 20] = 0xff;
    expect(() => decodeDocument(stdin)).toThrow(/line \d+, column \d+: byte 0xff is not UTF-8/);
  });

  test("without its lists it has the limit of other commands", () => {
    const json = large({ x: "x".repeat(2 ** 24) });
    expect(refusal(json)).toBe("more than 16777216 bytes beside the lists of attachments");
  });

  test("an entry that is too long is refused", () => {
    const json = large({
      "cni.dev/valid-attachments": [{ containerID: "x".repeat(2 ** 21), ifname: "eth0" }],
    });
    expect(refusal(json)).toBe('an entry of more than 786432 bytes in key "cni.dev/valid-attachments"');
  });
});
