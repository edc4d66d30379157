/**
 * Reads GC's lists of valid attachments. Each of the two lists can have a million entries, too many to hold as objects. So
 * the lists of a large document are read in pieces; the rest of the document is small.
 */
import { collectGarbage, concatenated, sameBytes } from "#engine";
import { wrongType } from "../schema/key-error.ts";
import type { Document, Keys } from "../schema/keys.ts";
import { get, parse } from "../schema/parse.ts";
import type { ContainerInterface } from "./attachment.ts";
import { ValidAttachments } from "./attachments.ts";
import { CniError, code } from "./error.ts";
import { behindSpace, behindString, behindValue, keyOf, token } from "./json-scan.ts";
import { decodeText } from "./text-position.ts";

/** The first key that has a value counts. libcni sends both with the same content. */
export const LIST_KEYS = ["cni.dev/valid-attachments", "cni.dev/attachments"] as const;

/** Bytes of a list that are parsed at a time, rounded up to whole entries. */
const PIECE = 256 * 1024;
/** The largest piece. Entries stay small: an id comes from an environment variable, which holds at most 128 KiB. */
const MOST_PIECE = 2 ** 20;

/** Garbage is collected after so many parsed bytes. */
const COLLECT_EVERY = 2 ** 23;

/** A document without its lists. */
export interface Divided {
  /** The same document with an empty array in the place of each list. Not JSON if the document is not. */
  readonly rest: Uint8Array;
  /** By key, as the document spells it. */
  readonly lists: ReadonlyMap<string, ValidAttachments>;
}

/**
 * Takes the lists out of a document. A fault outside the lists stays in `rest`.
 * @throws KeyError for an invalid entry; CniError code 6 for one that is too long; SyntaxError or TypeError for a list that is
 * not JSON, or for a value that is nested too deeply.
 */
export function takeLists(bytes: Uint8Array, piece = PIECE): Divided {
  const kept: Uint8Array[] = [];
  const lists = new Map<string, ValidAttachments>();
  let keptTo = 0;
  let earlier: FoundList | undefined;
  let at = behindSpace(bytes, 0);
  // All that is not a member is checked for its depth here.
  if (bytes[at] !== token.openBrace) behindValue(bytes, at);
  while (bytes[at] === token.openBrace || bytes[at] === token.comma) {
    const keyAt = behindSpace(bytes, at + 1);
    const keyEnd = bytes[keyAt] === token.quote ? behindString(bytes, keyAt) : keyAt;
    const key = keyOf(bytes.slice(keyAt, keyEnd));
    const colon = behindSpace(bytes, keyEnd);
    if (key === undefined || bytes[colon] !== token.colon) break;
    const start = behindSpace(bytes, colon + 1);
    if (bytes[start] === token.openBracket && isListKey(key)) {
      earlier = sameList(bytes, start, earlier) ?? readList(bytes, start, key, piece);
      lists.set(key, earlier.list);
      kept.push(bytes.subarray(keptTo, start + 1));
      keptTo = earlier.end - 1;
      at = earlier.end;
    } else {
      lists.delete(key);
      at = behindValue(bytes, start);
    }
    at = behindSpace(bytes, at);
  }
  kept.push(bytes.subarray(keptTo));
  return { rest: concatenated(kept), lists };
}

/** Whether a key is that of a list, in any case (rule A14). */
export const isListKey = (key: string): boolean =>
  (LIST_KEYS as readonly string[]).includes(key.toLowerCase());

interface FoundList {
  readonly start: number;
  /** Offset after its closing bracket. */
  readonly end: number;
  readonly list: ValidAttachments;
}

/** The earlier list, if the same text is repeated here. */
function sameList(bytes: Uint8Array, start: number, earlier: FoundList | undefined): FoundList | undefined {
  if (earlier === undefined) return undefined;
  const end = start + earlier.end - earlier.start;
  const same =
    end <= bytes.length && sameBytes(bytes.subarray(start, end), bytes.subarray(earlier.start, earlier.end));
  return same ? { start, end, list: earlier.list } : undefined;
}

function readList(bytes: Uint8Array, start: number, key: string, piece: number): FoundList {
  let end = start;
  const list = new ValidAttachments(function* () {
    end = yield* entriesOf(bytes, start, key, piece);
  });
  return { start, end, list };
}

/** The entries of a list, a piece at a time. Returns the offset after its closing bracket. */
function* entriesOf(
  bytes: Uint8Array,
  start: number,
  key: string,
  piece: number,
): Generator<ContainerInterface, number> {
  let count = 0;
  let collected = start;
  for (let from = start; ; ) {
    let end = behindValue(bytes, from + 1);
    while (bytes[end] === token.comma && end - from < piece) end = behindValue(bytes, end + 1);
    if (end - from > MOST_PIECE) {
      throw new CniError(
        code.decoding,
        `cannot decode the network configuration: an entry of more than ${MOST_PIECE - PIECE} bytes in key "${key}"`,
      );
    }
    if (end === bytes.length || bytes[end] === token.closeBrace)
      throw new SyntaxError("a list without an end");
    // Later pieces begin after a comma. The 0 makes a comma at the end of a list a syntax error.
    const isFirst = from === start;
    const text = decodeText(bytes.slice(from + 1, end));
    const values = JSON.parse(isFirst ? `[${text}]` : `[0,${text}]`) as unknown[];
    for (let index = isFirst ? 0 : 1; index < values.length; index++) {
      yield attachmentOf(values[index], key, count++);
    }
    if (bytes[end] === token.closeBracket) return end + 1;
    from = end;
    // By itself the engine waits until there is as much garbage as memory in use, and the document is in use.
    if (from - collected > COLLECT_EVERY) {
      collected = from;
      collectGarbage();
    }
  }
}

/** The list under the first of LIST_KEYS that has one. A key with null is an empty list, no key undefined. @throws KeyError */
export function validAttachments(document: Document): ValidAttachments | undefined {
  let isThere = false;
  for (const key of Object.keys(document)) if (isListKey(key)) isThere = true;
  if (!isThere) return undefined;
  for (const key of LIST_KEYS) {
    const value = get(document, key);
    // takeLists has already read the lists of a large document.
    if (value instanceof ValidAttachments) return value;
    if (value === undefined) continue;
    if (!Array.isArray(value)) throw wrongType(key, "an array", value);
    const list = value.map((entry, index) => attachmentOf(entry, key, index));
    return new ValidAttachments(() => list);
  }
  return new ValidAttachments(() => []);
}

/** One entry of a list. An entry without id or name would protect nothing, so it is refused. @throws KeyError */
function attachmentOf(value: unknown, key: string, index: number): ContainerInterface {
  const { containerID, ifname } = (value ?? {}) as { containerID?: unknown; ifname?: unknown };
  if (typeof containerID === "string" && typeof ifname === "string" && containerID && ifname) {
    return { containerId: containerID, ifname };
  }
  const entry = parse(ENTRY_KEYS, value, `${key}[${index}]`);
  return { containerId: entry.containerID, ifname: entry.ifname };
}

const ENTRY_KEYS = [
  ["containerID", "text!", null, ""],
  ["ifname", "text!", null, ""],
] as const satisfies Keys;
