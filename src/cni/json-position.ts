/** Finds where a text stops being JSON (RFC 8259, rule A9), since the engine's parser does not say it. */

/** 'line 3, column 7: unexpected "}", expected a value'; undefined if the text is JSON. Lines and columns count from 1. */
export function describeJsonFault(text: string): string | undefined {
  const fault = findFault(text);
  if (fault === undefined) return undefined;
  const place = new Place().after(text, fault.at);
  return `${place}: unexpected ${describeToken(text.slice(fault.at, fault.at + MOST_TOKEN))}, expected ${fault.expected}`;
}

/** The most UTF-16 units of a token that an error shows. */
const MOST_TOKEN = 32;
/** Bytes that are checked at a time, so that a large document is not copied as a whole. */
const PIECE = 64 * 1024;

/** 'line 3, column 7: byte 0xff is not UTF-8'; undefined if all bytes are. */
export function describeUtf8Fault(bytes: Uint8Array): string | undefined {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const place = new Place();
  for (let from = 0, end = 0; from < bytes.length; from = end) {
    end = Math.min(from + PIECE, bytes.length);
    // Do not cut within a character: it has up to four bytes, of which all but the first are 0b10xxxxxx.
    for (let back = 0; back < 3 && end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80; back++) end--;
    const piece = bytes.slice(from, end);
    const text = decoder.decode(piece);
    // Decoding replaces an invalid byte, so the first difference is the first fault.
    const back = new TextEncoder().encode(text);
    const differs = piece.findIndex((byte, index) => byte !== back[index]);
    // A cut-off last character may have the first bytes of U+FFFD, which replaces it and has three bytes.
    const at = differs < 0 && back.length > piece.length ? back.length - 3 : differs;
    if (at < 0) place.after(text, text.length);
    else {
      const valid = decoder.decode(piece.subarray(0, at));
      return `${place.after(valid, valid.length)}: byte 0x${piece[at]?.toString(16)} is not UTF-8`;
    }
  }
  return undefined;
}

/** A line, and a column in characters. */
class Place {
  private line = 1;
  private column = 1;

  /** Moves on by the first `length` units of a text. */
  after(text: string, length: number): this {
    for (let at = 0; at < length; at++) {
      const unit = text.charCodeAt(at);
      if (unit === 0x0a) {
        this.line++;
        this.column = 1;
        // The second half of a surrogate pair does not count.
      } else if ((unit & 0xfc00) !== 0xdc00) this.column++;
    }
    return this;
  }

  toString(): string {
    return `line ${this.line}, column ${this.column}`;
  }
}

/** The word or character at the beginning of a text; an invisible character by its number. */
function describeToken(text: string): string {
  const token = /^(?:\w{1,20}|.)/su.exec(text)?.[0];
  if (token === undefined) return "end";
  if (/^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(token)) return JSON.stringify(token);
  return `U+${token.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`;
}

interface Fault {
  readonly at: number;
  readonly expected: string;
}

/** A token's kind, and the offset after it. */
interface Token {
  readonly kind: "{" | "}" | "[" | "]" | "," | ":" | "string" | "scalar";
  readonly end: number;
}

/** What may come next. */
type State = "value" | "value or ]" | "key" | "key or }" | ":" | ", or end" | "end";

/** Not recursive, since deep nesting would exhaust the stack. */
function findFault(text: string): Fault | undefined {
  const open: ("{" | "[")[] = [];
  let state: State = "value";
  for (let at = 0; ; ) {
    at += lengthOf(WHITE_SPACE, text, at);
    if (at === text.length && state === "end") return undefined;
    const token = tokenAt(text, at);
    if (token !== undefined && "expected" in token) return token;
    const next: State | undefined = token && transition(state, token.kind, open);
    if (token === undefined || next === undefined) return { at, expected: describeState(state, open) };
    state = next;
    at = token.end;
  }
}

/** The state after a token, undefined if the token is not allowed there. Opens and closes brackets. */
function transition(state: State, kind: Token["kind"], open: ("{" | "[")[]): State | undefined {
  const inside = open.at(-1);
  const closes = kind === "}" || kind === "]";
  if (closes && (state === `value or ${kind}` || state === `key or ${kind}` || state === ", or end")) {
    if (inside !== (kind === "}" ? "{" : "[")) return undefined;
    open.pop();
    return open.length === 0 ? "end" : ", or end";
  }
  if (state === "value" || state === "value or ]") {
    if (kind === "string" || kind === "scalar") return inside === undefined ? "end" : ", or end";
    if (kind !== "{" && kind !== "[") return undefined;
    open.push(kind);
    return kind === "{" ? "key or }" : "value or ]";
  }
  if ((state === "key" || state === "key or }") && kind === "string") return ":";
  if (state === ":" && kind === ":") return "value";
  if (state === ", or end" && kind === ",") return inside === "{" ? "key" : "value";
  return undefined;
}

function describeState(state: State, open: readonly string[]): string {
  switch (state) {
    case "value":
      return "a value";
    case "value or ]":
      return 'a value or "]"';
    case "key":
      return "a key in double quotes";
    case "key or }":
      return 'a key in double quotes or "}"';
    case ", or end":
      return open.at(-1) === "{" ? '"," or "}"' : '"," or "]"';
    case ":":
      return '":"';
    case "end":
      return "the end";
  }
}

const WHITE_SPACE = /[ \t\n\r]*/y;
const PUNCTUATION = /[{}[\],:]/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON forbids in a string.
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPE_SEQUENCE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Length of a sticky pattern's match at an offset, 0 for none. */
function lengthOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** The token at an offset, undefined if there is none; the fault in a broken string. */
function tokenAt(text: string, at: number): Token | Fault | undefined {
  if (text[at] === '"') return stringAt(text, at);
  if (lengthOf(PUNCTUATION, text, at) > 0) return { kind: text[at] as Token["kind"], end: at + 1 };
  const length = lengthOf(SCALAR, text, at);
  return length === 0 ? undefined : { kind: "scalar", end: at + length };
}

/** Matches piece by piece, since one pattern for a whole string fails on long ones (the engine backtracks). */
function stringAt(text: string, start: number): Token | Fault {
  let at = start + 1;
  for (let length = 1; length > 0; at += length) {
    at += lengthOf(PLAIN_CHARACTERS, text, at);
    if (text[at] === '"') return { kind: "string", end: at + 1 };
    length = lengthOf(ESCAPE_SEQUENCE, text, at);
  }
  return { at, expected: text[at] === "\\" ? "a valid escape" : "the string's closing quote" };
}
