/** JSON out of bytes, with an error that says where it stops being JSON (rule A9). */
import { CniError, code } from "./error.ts";
import { describeJsonFault, describeUtf8Fault } from "./json-position.ts";

/** Objects and arrays in a document: the memory that they take is many times that of their text. */
const MOST_BRACKETS = 2 ** 20;

/**
 * Any JSON value in UTF-8 bytes; `subject` names them in errors. `whole` is the document that the bytes were cut out of,
 * in which a fault is to be looked for. @throws CniError code 6, saying where the fault is.
 */
export function parseJson(bytes: Uint8Array, subject: string, whole = bytes): unknown {
  if (bytes.length > MOST_BRACKETS) refuseCrowd(bytes, subject);
  try {
    return JSON.parse(decodeText(bytes));
  } catch (error) {
    throw notJson(whole, subject, error);
  }
}

/** A byte order mark is not part of JSON (RFC 8259 section 8.1): the parser shall see and refuse it. @throws TypeError */
export const decodeText = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

/** What is left where the text is JSON, and the parser refuses it all the same. */
const TOO_DEEP = "objects and arrays are nested too deeply";

/** The error for bytes that are not JSON. `cause` is what refused them. */
export function notJson(bytes: Uint8Array, subject: string, cause: unknown): CniError {
  const place = describeUtf8Fault(bytes) ?? describeJsonFault(decodeText(bytes)) ?? TOO_DEEP;
  return new CniError(code.decoding, `cannot decode ${subject}: ${place}`, "", { cause });
}

function refuseCrowd(bytes: Uint8Array, subject: string): void {
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
