/** Parses JSON from bytes, with an error that says where the fault is (rule A9). */
import { isOutOfMemory } from "#engine";
import { CniError, code } from "./error.ts";
import { describeJsonFault } from "./json-position.ts";
import { describeUtf8Fault } from "./text-position.ts";

/** The most objects and arrays of a document, since they take many times the memory of their text. */
const MOST_BRACKETS = 2 ** 20;

/**
 * The JSON value in UTF-8 bytes. `subject` names them in errors. If the bytes are a part of a document, `whole` is that
 * document: the place of a fault counts from its beginning. @throws CniError code 6 with the place of the fault
 */
export function parseJson(bytes: Uint8Array, subject: string, whole = bytes): unknown {
  if (bytes.length > MOST_BRACKETS) refuseManyBrackets(bytes, subject);
  try {
    return JSON.parse(decodeText(bytes));
  } catch (error) {
    if (isOutOfMemory(error)) throw error;
    throw notJson(whole, subject, error);
  }
}

/** Keeps a byte order mark, so that the parser refuses it: it is not JSON (RFC 8259 section 8.1). @throws TypeError */
export const decodeText = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

/** The only reason why the parser refuses valid JSON. */
const TOO_DEEP = "objects and arrays are nested too deeply";

/** The error for bytes that are not JSON. `cause` is the parser's error. */
export function notJson(bytes: Uint8Array, subject: string, cause: unknown): CniError {
  const place = describeUtf8Fault(bytes) ?? describeJsonFault(bytes) ?? TOO_DEEP;
  return new CniError(code.decoding, `cannot decode ${subject}: ${place}`, "", { cause });
}

function refuseManyBrackets(bytes: Uint8Array, subject: string): void {
  let count = 0;
  for (const bracket of [0x5b, 0x7b]) {
    for (let at = bytes.indexOf(bracket); at >= 0; at = bytes.indexOf(bracket, at + 1)) {
      if (++count <= MOST_BRACKETS) continue;
      throw new CniError(
        code.decoding,
        `cannot decode ${subject}: more than ${MOST_BRACKETS} objects and arrays`,
      );
    }
  }
}
