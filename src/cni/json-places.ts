/** Finds where each key and value of a JSON document is written, for messages about configurations. */
import { behindSpace, behindValue, membersAt, token } from "./json-scan.ts";

/** Offsets in the document's bytes. */
export interface WrittenAt {
  /** Of the key's opening quote, or of an element of a list. */
  readonly key: number;
  readonly value: number;
}

/** The places of a document. */
export interface JsonPlaces {
  /** By path, in lower case, since keys match in any case (rule A14): `plugins[0].ipam.ranges[0][1].subnet`. */
  readonly at: ReadonlyMap<string, WrittenAt>;
  /** Paths of keys that an object has twice, as they are written. */
  readonly repeated: readonly string[];
}

/** The places of all keys and elements. The bytes must be JSON. */
export function placesOf(bytes: Uint8Array): JsonPlaces {
  const at = new Map<string, WrittenAt>([["", { key: 0, value: behindSpace(bytes, 0) }]]);
  const repeated: string[] = [];
  const walk = (start: number, path: string): void => {
    if (bytes[start] === token.openBrace) {
      const seen = new Set<string>();
      for (const { key, start: value, keyAt } of membersAt(bytes, start)) {
        const inner = path === "" ? key : `${path}.${key}`;
        if (seen.has(key)) repeated.push(inner);
        seen.add(key);
        at.set(inner.toLowerCase(), { key: keyAt, value });
        walk(value, inner);
      }
    } else if (bytes[start] === token.openBracket) {
      let index = 0;
      for (const value of elementsAt(bytes, start)) {
        const inner = `${path}[${index++}]`;
        at.set(inner.toLowerCase(), { key: value, value });
        walk(value, inner);
      }
    }
  };
  walk(behindSpace(bytes, 0), "");
  return { at, repeated };
}

/** Offsets of the elements of the list at `from`. */
function* elementsAt(bytes: Uint8Array, from: number): Generator<number> {
  let at = from;
  while (bytes[at] === token.openBracket || bytes[at] === token.comma) {
    const start = behindSpace(bytes, at + 1);
    if (bytes[start] === token.closeBracket) return;
    yield start;
    at = behindValue(bytes, start);
  }
}
