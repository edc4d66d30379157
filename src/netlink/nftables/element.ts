/** Schema and requests of elements of sets and maps: NFTA_SET_ELEM_LIST_* and NFTA_SET_ELEM_* of uapi linux/netfilter/nf_tables.h. */
import { padded } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { decode, forEachAttribute } from "../decode.ts";
import { flag, type Message } from "../message.ts";
import {
  BE32,
  BIT,
  BYTES,
  CUSTOM,
  type Fields,
  INLINE,
  NEST,
  NUMBERED,
  nest,
  STRING,
  schema,
} from "../schema.ts";
import { DATA, valueAs } from "./data.ts";
import { messageType, NFGENMSG, request } from "./header.ts";
import { describeSet, type SetName } from "./set.ts";
import { USER_DATA } from "./userdata.ts";

const ELEMENT = nest(
  [
    // In a set with intervals without concatenation: this element is the first key after the interval.
    [3, "intervalEnd", BIT],
    [1, "", INLINE, valueAs("key")],
    // In a concatenation with intervals: the last key of the interval.
    [10, "", INLINE, nest([[1, "keyEnd", BYTES]])],
    // The data of a map.
    [2, "data", NEST, DATA],
    [6, "userData", CUSTOM, USER_DATA],
  ],
  ["key"],
);
export type Element = Fields<typeof ELEMENT>;

export const ELEMENTS = schema(4, NFGENMSG, [
  [1, "table", STRING],
  [2, "set", STRING],
  // The set's number within the transaction.
  [4, "id", BE32],
  // libnftnl numbers them; the kernel ignores the numbers.
  [3, "", INLINE, nest([[0, "elements", NUMBERED, ELEMENT]])],
]);

/** The key of a concatenation. Each part is padded to whole words. */
export function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const key = new Uint8Array(parts.reduce((sum, { length }) => sum + padded(length), 0));
  let at = 0;
  for (const part of parts) {
    key.set(part, at);
    at += padded(part.length);
  }
  return key;
}

type Place = SetName & { readonly id?: number };

const change = (
  action: string,
  type: number,
  flags: number,
  { family, table, set, id }: Place,
  elements: readonly Element[] | undefined,
): Request => request(action, type, flags, ELEMENTS, { family, table, set, id, elements });

/** Adds elements. An existing one stays; EEXIST if `exclusive` is set, EBUSY if its data in a map differs. */
export const addElements = (
  set: Place,
  elements: readonly Element[],
  options: { exclusive?: boolean } = {},
): Request =>
  change(
    `add elements to ${describeSet(set)}`,
    messageType.newElement,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    set,
    elements,
  );

/** Deletes the elements with these keys; ENOENT when one does not exist. */
export const deleteElements = (set: SetName, elements: readonly Element[]): Request =>
  change(`delete elements of ${describeSet(set)}`, messageType.deleteElement, 0, set, elements);

/** Gets the elements with these keys, or in a dump all; ENOENT when one does not exist. */
export const getElements = (set: SetName, elements: readonly Element[] = []): Request =>
  change(
    `list elements of ${describeSet(set)}`,
    messageType.getElement,
    0,
    set,
    elements.length === 0 ? undefined : elements.map(({ key }) => ({ key })),
  );

/** The elements of one message; a dump may send several. @throws DecodeError */
export const decodeElements = ({ payload }: Message): readonly Element[] =>
  decode(ELEMENTS, payload).elements ?? [];

/** NFTA_SET_ELEM_LIST_ELEMENTS. */
const LIST = 3;

/**
 * The elements of one message whose bytes `isWanted`: the others are not decoded, and their bytes are not checked.
 * @throws DecodeError
 */
export function decodeSomeElements(
  { payload }: Message,
  isWanted: (bytes: Uint8Array) => boolean,
): Element[] {
  const found: Element[] = [];
  forEachAttribute(payload, 4, payload.length, (type, at, stop) => {
    if (type !== LIST) return;
    forEachAttribute(payload, at, stop, (_, first, last) => {
      const bytes = payload.subarray(first, last);
      if (isWanted(bytes)) found.push(decode(ELEMENT, bytes));
    });
  });
  return found;
}
