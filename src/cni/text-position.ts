/** Text in bytes, and the places of its faults for errors (rule A9). */

/** Keeps a byte order mark, so that the parser refuses it: it is not JSON (RFC 8259 section 8.1). @throws TypeError */
export const decodeText = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

const NEWLINE = 0x0a;

/** 'line 3, column 7' of the character at an offset in UTF-8. */
export function describePlace(bytes: Uint8Array, at: number): string {
  const { line, column } = placeOf(bytes, at);
  return `line ${line}, column ${column}`;
}

/** Line and column of the character at an offset in UTF-8. Both count from 1, columns in characters. */
export function placeOf(bytes: Uint8Array, at: number): { readonly line: number; readonly column: number } {
  const before = bytes.subarray(0, at);
  let line = 1;
  let start = 0;
  for (let end = before.indexOf(NEWLINE); end >= 0; end = before.indexOf(NEWLINE, start)) {
    line++;
    start = end + 1;
  }
  let column = 1;
  // All bytes of a character but the first are 0b10xxxxxx.
  for (; start < at; start++) if (((before[start] as number) & 0xc0) !== 0x80) column++;
  return { line, column };
}

/** Bytes that are checked at a time, so that a large document is not copied as a whole. */
const PIECE = 64 * 1024;

/** 'line 3, column 7: byte 0xff is not UTF-8'; undefined if all bytes are. */
export function describeUtf8Fault(bytes: Uint8Array): string | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let from = 0, end = 0; from < bytes.length; from = end) {
    end = Math.min(from + PIECE, bytes.length);
    // Do not cut within a character: it has up to four bytes.
    for (let back = 0; back < 3 && end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80; back++) end--;
    const piece = bytes.subarray(from, end);
    try {
      decoder.decode(piece);
    } catch {
      const at = from + firstFault(piece);
      return `${describePlace(bytes, at)}: byte 0x${bytes[at]?.toString(16)} is not UTF-8`;
    }
  }
  return undefined;
}

/** The offset of the first byte that is not UTF-8. */
function firstFault(bytes: Uint8Array): number {
  // Decoding replaces an invalid byte, so the first difference is the first fault.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const back = new TextEncoder().encode(text);
  const differs = bytes.findIndex((byte, index) => byte !== back[index]);
  // A cut-off last character may have the first bytes of U+FFFD, which replaces it and has three bytes.
  return differs < 0 ? back.length - 3 : differs;
}
