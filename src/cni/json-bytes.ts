/** Parses JSON from bytes, with an error that says where the fault is (rule A9). */
import { isOutOfMemory } from "#engine";
import { CniError, code } from "./error.ts";
import { describeJsonFault, MOST_NESTED } from "./json-position.ts";
import { behindValue } from "./json-scan.ts";
import { decodeText, describeUtf8Fault } from "./text-position.ts";

/** The most objects and arrays of a document, since they take many times the memory of their text. */
const MOST_BRACKETS = 2 ** 20;

/**
 * The JSON value in UTF-8 bytes. `subject` names them in errors. If the bytes are what takeLists left of a document, `whole`
 * is that document: the place of a fault counts from its beginning. @throws CniError code 6 with the place of the fault
 */
export function parseJson(bytes: Uint8Array, subject: string, whole = bytes): unknown {
  try {
    const hasManyBrackets = bytes.length > MOST_NESTED && refuseManyBrackets(bytes, subject) > MOST_NESTED;
    // takeLists has already seen how deep its document is.
    if (hasManyBrackets && whole === bytes) behindValue(bytes, 0);
    return JSON.parse(decodeText(bytes));
  } catch (error) {
    if (isOutOfMemory(error) || error instanceof CniError) throw error;
    throw notJson(whole, subject, error);
  }
}

/** The error for bytes that are not JSON. `cause` is the parser's error: returned if it has nothing to do with them. */
export function notJson(bytes: Uint8Array, subject: string, cause: unknown): unknown {
  const place = describeUtf8Fault(bytes) ?? describeJsonFault(bytes);
  if (place === undefined) return cause;
  return new CniError(code.decoding, `cannot decode ${subject}: ${place}`, "", { cause });
}

/** How many objects and arrays may begin in the bytes, at most. @throws CniError for too many */
function refuseManyBrackets(bytes: Uint8Array, subject: string): number {
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
  return count;
}
