/**
 * Finds where bytes stop being JSON (RFC 8259, rule A9), since the engine's parser does not say it. A table of bytes decides
 * on each, since a document may have 256 MiB, and one of the two engines (src/engine) interprets.
 */
import { describePlace } from "./text-position.ts";

/**
 * The most objects and arrays, one in the other. The engines' parsers are recursive: each has its own limit, and that of
 * the compact file is some 30,000. Go's has this one.
 */
export const MOST_NESTED = 10_000;

/**
 * 'line 3, column 7: unexpected "}", expected a value'; undefined if the bytes are JSON that is not nested too deeply. Lines
 * and columns count from 1. The bytes must be UTF-8.
 */
export function describeJsonFault(bytes: Uint8Array): string | undefined {
  const fault = findFault(bytes);
  if (fault === undefined) return undefined;
  const token = describeToken(bytes.subarray(fault.at, fault.at + MOST_TOKEN));
  return `${describePlace(bytes, fault.at)}: unexpected ${token}, expected ${fault.expected}`;
}

/** The most bytes of a token that an error shows. */
const MOST_TOKEN = 32;

/** The word or character at the beginning of bytes; an invisible character by its number. */
function describeToken(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const token = /^(?:\w{1,20}|.)/su.exec(text)?.[0];
  if (token === undefined) return "end";
  if (/^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(token)) return JSON.stringify(token);
  return `U+${token.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`;
}

interface Fault {
  readonly at: number;
  readonly expected: string;
}

const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Rows of the table. From NUMBER on they are inside of numbers and words; from COMPLETE on these may end there. */
// biome-ignore format: by kind
const ROWS = [
  "fault", "value", "value or ]", "key", "key or }", "colon", "comma or end",
  "minus", "point", "exponent", "sign", "t", "tr", "tru", "f", "fa", "fal", "fals", "n", "nu", "nul",
  "zero", "digits", "fraction", "power", "word",
] as const;
type Row = (typeof ROWS)[number];
const [FAULT, VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, COMMA_OR_END] = [0, 1, 2, 3, 4, 5, 6];
const NUMBER = 7;
const COMPLETE = 21;

/** What the finder does itself at a byte, instead of only going to another row. */
const ACTIONS = { open: -1, close: -2, comma: -3, string: -4 } as const;

type Next = Row | keyof typeof ACTIONS;

const SPACE = " \t\n\r";

/** The grammar outside of strings: what comes after each of the characters that a row allows. Made only when it is needed. */
function grammar(): Readonly<Record<Row, Readonly<Record<string, Next>>>> {
  const digits = "0123456789";
  const number = { "-": "minus", "0": "zero", "123456789": "digits" } as const;
  const value = { ...number, '"': "string", "[{": "open", t: "t", f: "f", n: "n" } as const;
  const after = { [SPACE]: "comma or end", ",": "comma", "]}": "close" } as const;
  return {
    fault: {},
    value: { [SPACE]: "value", ...value },
    "value or ]": { [SPACE]: "value or ]", ...value, "]": "close" },
    key: { [SPACE]: "key", '"': "string" },
    "key or }": { [SPACE]: "key or }", '"': "string", "}": "close" },
    colon: { [SPACE]: "colon", ":": "value" },
    "comma or end": after,
    minus: { "0": "zero", "123456789": "digits" },
    zero: { ...after, ".": "point", eE: "exponent" },
    digits: { ...after, [digits]: "digits", ".": "point", eE: "exponent" },
    point: { [digits]: "fraction" },
    fraction: { ...after, [digits]: "fraction", eE: "exponent" },
    exponent: { [digits]: "power", "+-": "sign" },
    sign: { [digits]: "power" },
    power: { ...after, [digits]: "power" },
    t: { r: "tr" },
    tr: { u: "tru" },
    tru: { e: "word" },
    f: { a: "fa" },
    fa: { l: "fal" },
    fal: { s: "fals" },
    fals: { e: "word" },
    n: { u: "nu" },
    nu: { l: "nul" },
    nul: { l: "word" },
    word: after,
  };
}

/** For each row 256 bytes: the next row, or an action. */
function makeTable(): Int8Array {
  const table = new Int8Array(ROWS.length * 256);
  const rows = grammar();
  for (const [index, row] of ROWS.entries()) {
    for (const [characters, next] of Object.entries(rows[row])) {
      const value = next in ACTIONS ? ACTIONS[next as keyof typeof ACTIONS] : ROWS.indexOf(next as Row);
      for (const character of characters) table[index * 256 + character.charCodeAt(0)] = value;
    }
  }
  return table;
}

/** Not recursive, since deep nesting would exhaust the stack. */
function findFault(bytes: Uint8Array): Fault | undefined {
  const table = makeTable();
  const open: number[] = [];
  let row = VALUE;
  let at = 0;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const next = table[row * 256 + byte] as number;
    if (next > FAULT) {
      row = next;
      continue;
    }
    const inside = open.at(-1);
    if (next === ACTIONS.open) {
      if (open.length === MOST_NESTED)
        return { at, expected: `at most ${MOST_NESTED} levels of objects and arrays` };
      open.push(byte);
      row = byte === OPEN_BRACE ? KEY_OR_END : VALUE_OR_END;
      // In ASCII a closing bracket is the second after the opening one.
    } else if (next === ACTIONS.close && inside === byte - 2) {
      open.pop();
      row = COMMA_OR_END;
    } else if (next === ACTIONS.comma && inside !== undefined) {
      row = inside === OPEN_BRACE ? KEY : VALUE;
    } else if (next === ACTIONS.string) {
      const end = endOfString(bytes, at);
      if (typeof end === "object") return end;
      at = end;
      row = row === KEY || row === KEY_OR_END ? COLON : COMMA_OR_END;
    } else break;
  }
  const isEnd = at === bytes.length && open.length === 0 && (row === COMMA_OR_END || row >= COMPLETE);
  return isEnd ? undefined : faultAt(bytes, at, row, open.at(-1));
}

/** The characters of numbers and words, and of what looks like one. */
const isOfWord = (byte: number | undefined): boolean =>
  byte !== undefined && /[\w.+-]/.test(String.fromCharCode(byte));

/** The fault at an offset that `row` does not allow: at the beginning of the number or word, if that is invalid. */
function faultAt(bytes: Uint8Array, at: number, row: number, inside: number | undefined): Fault {
  if (row < NUMBER) return { at, expected: describeRow(row, inside) };
  if (row >= COMPLETE && !isOfWord(bytes[at])) return { at, expected: describeRow(COMMA_OR_END, inside) };
  let start = at;
  while (isOfWord(bytes[start - 1])) start--;
  let before = start - 1;
  while (SPACE.includes(String.fromCharCode(bytes[before] ?? 0))) before--;
  return { at: start, expected: describeRow(bytes[before] === OPEN_BRACKET ? VALUE_OR_END : VALUE, inside) };
}

function describeRow(row: number, inside: number | undefined): string {
  if (row === VALUE) return "a value";
  if (row === VALUE_OR_END) return 'a value or "]"';
  if (row === KEY) return "a key in double quotes";
  if (row === KEY_OR_END) return 'a key in double quotes or "}"';
  if (row === COLON) return '":"';
  if (inside === undefined) return "the end";
  return inside === OPEN_BRACE ? '"," or "}"' : '"," or "]"';
}

/** The offset of the closing quote of the string that begins at `start`, or the fault in it. */
function endOfString(bytes: Uint8Array, start: number): number | Fault {
  for (let at = start + 1; ; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === undefined || byte < 0x20) return { at, expected: "the string's closing quote" };
    if (byte !== BACKSLASH) continue;
    const following = String.fromCharCode(...bytes.subarray(at + 1, at + 6));
    const escaped = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(following)?.[0];
    if (escaped === undefined) return { at, expected: "a valid escape" };
    at += escaped.length;
  }
}
