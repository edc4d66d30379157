/** Where a text stops being JSON (RFC 8259). The engine's parser says only that it does (rule A9). */

/** "line 3, column 7: unexpected "}", expected a value". Lines and columns count characters from 1. */
export function describeJsonFault(text: string): string {
  const fault = findFault(text);
  if (fault === undefined) return "too deep or too large for this program";
  const rest = text.slice(fault.at);
  const found =
    rest === "" ? "the end" : JSON.stringify(/^([\p{L}\p{N}_]+|.)/su.exec(rest)?.[0].slice(0, 20));
  return `${position(text, fault.at)}: unexpected ${found}, expected ${fault.expected}`;
}

/** "line 3, column 7: …" for bytes that are not UTF-8. */
export function describeUtf8Fault(bytes: Uint8Array): string {
  // Invalid bytes come back as U+FFFD: the first difference is the first invalid byte.
  const back = new TextEncoder().encode(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  const at = bytes.findIndex((byte, index) => byte !== back[index]);
  const valid = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, at));
  return `${position(valid, valid.length)}: byte 0x${bytes[at]?.toString(16)} is not UTF-8`;
}

function position(text: string, at: number): string {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  return `line ${line}, column ${Array.from(before.slice(lineStart)).length + 1}`;
}

interface Fault {
  readonly at: number;
  readonly expected: string;
}

const WHITE_SPACE = /[ \t\n\r]*/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids exactly these in a string.
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Length of the match at a place, 0 for none. */
function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** A pushdown automaton over the tokens; no recursion, so that depth can't exhaust the stack. */
function findFault(text: string): Fault | undefined {
  const open: string[] = [];
  let expected = "a value";
  for (let at = 0; ; ) {
    at += matchAt(WHITE_SPACE, text, at);
    if (at === text.length && expected === "the end") return undefined;
    const character = text[at];
    const inObject = open.at(-1) === "{";
    const after = open.length === 0 ? "the end" : `"," or "${inObject ? "}" : "]"}"`;
    const wantsValue = expected.startsWith("a value");
    if (character === '"' && (wantsValue || expected.startsWith("a key"))) {
      const end = endOfString(text, at);
      if (typeof end !== "number") return end;
      at = end;
      expected = wantsValue ? after : '":"';
    } else if (wantsValue && (character === "{" || character === "[")) {
      open.push(character);
      at++;
      expected = character === "{" ? 'a key in double quotes or "}"' : 'a value or "]"';
    } else if ((character === "}" || character === "]") && expected.endsWith(`"${character}"`)) {
      open.pop();
      at++;
      expected = open.length === 0 ? "the end" : `"," or "${open.at(-1) === "{" ? "}" : "]"}"`;
    } else if (character === "," && expected.startsWith('","')) {
      at++;
      expected = inObject ? "a key in double quotes" : "a value";
    } else if (character === ":" && expected === '":"') {
      at++;
      expected = "a value";
    } else {
      const length = wantsValue ? matchAt(SCALAR, text, at) : 0;
      if (length === 0) return { at, expected };
      at += length;
      expected = after;
    }
  }
}

/** The place behind the string that begins at `at`, or the fault inside it. */
function endOfString(text: string, start: number): number | Fault {
  for (let at = start + 1; ; ) {
    at += matchAt(PLAIN_CHARACTERS, text, at);
    if (text[at] === '"') return at + 1;
    const escaped = matchAt(ESCAPE, text, at);
    if (escaped === 0)
      return { at, expected: text[at] === "\\" ? "a valid escape" : "the string's closing quote" };
    at += escaped;
  }
}
