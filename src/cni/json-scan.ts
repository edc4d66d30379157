/** Finds the parts of a JSON document in its bytes, without decoding it. On bytes that are not JSON it ends all the same. */
import { MOST_NESTED } from "./json-position.ts";
import { decodeText } from "./text-position.ts";

/** Bytes with a meaning in JSON. */
export const token = {
  openBrace: 0x7b,
  closeBrace: 0x7d,
  openBracket: 0x5b,
  closeBracket: 0x5d,
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
  colon: 0x3a,
} as const;

/** The offset after white space. */
export function behindSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++;
  return at;
}

/** The offset after the string that opens at `start`; the end of the bytes if it does not close. */
export function behindString(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(token.quote, start + 1); at >= 0; at = bytes.indexOf(token.quote, at + 1)) {
    let before = at;
    while (bytes[before - 1] === token.backslash) before--;
    if ((at - before) % 2 === 0) return at + 1;
  }
  return bytes.length;
}

/**
 * The offset of the comma or bracket after a value; the end of the bytes if there is none.
 * @throws SyntaxError if it is nested too deeply
 */
export function behindValue(bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  let depth = 0;
  for (let at = start; at < length; at++) {
    switch (bytes[at]) {
      case token.quote:
        at = behindString(bytes, at) - 1;
        break;
      case token.openBrace:
      case token.openBracket:
        if (depth++ === MOST_NESTED) throw new SyntaxError("objects and arrays are nested too deeply");
        break;
      case token.closeBrace:
      case token.closeBracket:
        if (depth-- === 0) return at;
        break;
      case token.comma:
        if (depth === 0) return at;
        break;
    }
  }
  return length;
}

/** The text of a key in quotes; undefined for anything else. */
export function keyOf(bytes: Uint8Array): string | undefined {
  try {
    const key: unknown = JSON.parse(decodeText(bytes));
    return typeof key === "string" ? key : undefined;
  } catch {
    return undefined;
  }
}

/** A member of an object: its key, and the offsets of key and value. */
export interface Member {
  readonly key: string;
  readonly keyAt: number;
  readonly start: number;
}

/** The members of the object at `from`, as often as they are written. */
export function* membersAt(bytes: Uint8Array, from: number): Generator<Member> {
  let at = behindSpace(bytes, from);
  while (bytes[at] === token.openBrace || bytes[at] === token.comma) {
    const keyAt = behindSpace(bytes, at + 1);
    const keyEnd = bytes[keyAt] === token.quote ? behindString(bytes, keyAt) : keyAt;
    const key = keyOf(bytes.slice(keyAt, keyEnd));
    const colon = behindSpace(bytes, keyEnd);
    if (key === undefined || bytes[colon] !== token.colon) return;
    const start = behindSpace(bytes, colon + 1);
    yield { key, keyAt, start };
    at = behindValue(bytes, start);
  }
}
