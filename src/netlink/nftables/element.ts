/** Elements of sets and maps: NFTA_SET_ELEM_LIST_* and NFTA_SET_ELEM_* of uapi linux/netfilter/nf_tables.h. */
import {
  Attributes,
  present,
  putBytes,
  putNested,
  putRaw,
  putString,
  putU32be,
  type RawAttribute,
} from "../attribute.ts";
import { ByteWriter, padded } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { flag, type Message } from "../message.ts";
import { type Data, putData, readData } from "./data.ts";
import { decodeHeader, messageType, request, required } from "./header.ts";
import { describeSet, type SetName } from "./set.ts";
import { decodeUserData, encodeUserData, type UserDatum } from "./userdata.ts";

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_LIST_SET_ID = 4;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_USERDATA = 6;
const NFTA_SET_ELEM_KEY_END = 10;
const NFT_SET_ELEM_INTERVAL_END = 1;

export interface Element {
  readonly key: Uint8Array;
  /** Last key of the interval, in a concatenation with intervals. */
  readonly keyEnd?: Uint8Array;
  /** In a set with intervals without concatenation: the first key behind the interval, as an element of its own. */
  readonly intervalEnd?: boolean;
  /** What a map leads to. */
  readonly data?: Data;
  readonly userData?: readonly UserDatum[];
  /** Attributes that the decoder does not know. */
  readonly unknown?: readonly RawAttribute[];
}

/** The key of a concatenation: each part fills whole words. */
export function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter();
  for (const part of parts) writer.bytes(part, padded(part.length));
  return writer.finish();
}

function putElements(
  writer: ByteWriter,
  set: SetName & { readonly id?: number },
  elements: readonly Element[],
) {
  putString(writer, NFTA_SET_ELEM_LIST_TABLE, set.table);
  putString(writer, NFTA_SET_ELEM_LIST_SET, set.set);
  putU32be(writer, NFTA_SET_ELEM_LIST_SET_ID, set.id);
  putNested(writer, NFTA_SET_ELEM_LIST_ELEMENTS, (list) => {
    for (const [index, element] of elements.entries()) {
      // libnftnl numbers them; the kernel takes any type.
      putNested(list, index + 1, (item) => {
        putU32be(item, NFTA_SET_ELEM_FLAGS, element.intervalEnd ? NFT_SET_ELEM_INTERVAL_END : undefined);
        putData(item, NFTA_SET_ELEM_KEY, { value: element.key });
        putData(item, NFTA_SET_ELEM_KEY_END, element.keyEnd && { value: element.keyEnd });
        putData(item, NFTA_SET_ELEM_DATA, element.data);
        putBytes(item, NFTA_SET_ELEM_USERDATA, encodeUserData(element.userData));
        putRaw(item, element.unknown);
      });
    }
  });
}

/** Adds elements. One that is there stays as it is (of a map: EBUSY if its data differs), unless `exclusive`: EEXIST. */
export const addElements = (
  set: SetName & { readonly id?: number },
  elements: readonly Element[],
  options: { exclusive?: boolean } = {},
): Request =>
  request(
    `add elements to ${describeSet(set)}`,
    messageType.newElement,
    set.family,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    (writer) => putElements(writer, set, elements),
  );

/** Deletes the elements with these keys; ENOENT when one is not there. */
export const deleteElements = (set: SetName, elements: readonly Element[]): Request =>
  request(`delete elements of ${describeSet(set)}`, messageType.deleteElement, set.family, 0, (writer) =>
    putElements(writer, set, elements),
  );

/** Asks for the elements with these keys, or in a dump for all; ENOENT when one is not there. */
export const getElements = (set: SetName, elements: readonly Element[] = []): Request =>
  request(`list elements of ${describeSet(set)}`, messageType.getElement, set.family, 0, (writer) => {
    putString(writer, NFTA_SET_ELEM_LIST_TABLE, set.table);
    putString(writer, NFTA_SET_ELEM_LIST_SET, set.set);
    if (elements.length === 0) return;
    putNested(writer, NFTA_SET_ELEM_LIST_ELEMENTS, (list) => {
      for (const { key } of elements)
        putNested(list, NFTA_LIST_ELEM, (item) => putData(item, NFTA_SET_ELEM_KEY, { value: key }));
    });
  });

/** The elements of one message; a dump may send several. @throws DecodeError */
export function decodeElements(message: Message): Element[] {
  const { attributes } = decodeHeader(message);
  const list = attributes.nested(NFTA_SET_ELEM_LIST_ELEMENTS)?.list() ?? [];
  return list.map(({ payload }) => decodeElement(new Attributes(payload)));
}

function decodeElement(attributes: Attributes): Element {
  const value = (type: number): Uint8Array | undefined => {
    const data = readData(attributes, type);
    return data !== undefined && "value" in data ? data.value : undefined;
  };
  const flags = attributes.u32be(NFTA_SET_ELEM_FLAGS) ?? 0;
  return {
    key: required(value(NFTA_SET_ELEM_KEY), "element key"),
    ...present({
      keyEnd: value(NFTA_SET_ELEM_KEY_END),
      intervalEnd: (flags & NFT_SET_ELEM_INTERVAL_END) !== 0 || undefined,
      data: readData(attributes, NFTA_SET_ELEM_DATA),
      userData: decodeUserData(attributes.bytes(NFTA_SET_ELEM_USERDATA)),
    }),
    unknown: attributes.unread(),
  };
}
