/** Sets and maps: NFTA_SET_* of uapi linux/netfilter/nf_tables.h. Their elements are in element.ts. */
import {
  Attributes,
  attributeType,
  present,
  putBytes,
  putNested,
  putString,
  putU32be,
  type RawAttribute,
} from "../attribute.ts";
import { padded } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { flag, type Message } from "../message.ts";
import { decodeHeader, messageType, request, required } from "./header.ts";
import type { TableName } from "./table.ts";
import { decodeUserData, encodeUserData, type UserDatum } from "./userdata.ts";

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DATA_LEN = 7;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_USERDATA = 13;
const NFTA_SET_HANDLE = 16;
const NFTA_SET_DESC_SIZE = 1;
const NFTA_SET_DESC_CONCAT = 2;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_FIELD_LEN = 1;

/** NFT_SET_*. An anonymous set belongs to the one rule that looks in it, and goes with it. */
export const setFlag = { anonymous: 1, constant: 2, interval: 4, map: 8, concatenation: 0x80 } as const;

/** nft's own numbers and sizes of what can stand in a set; the kernel keeps the number and knows the size. */
export const dataType = {
  mark: { id: 19, length: 4 },
  inet_service: { id: 13, length: 2 },
  inet_proto: { id: 12, length: 1 },
  ipv4_addr: { id: 7, length: 4 },
  ipv6_addr: { id: 8, length: 16 },
  ether_addr: { id: 9, length: 6 },
  ifname: { id: 41, length: 16 },
} as const;

/** What the elements of a set are, by the name that nft shows. */
export type DataType = keyof typeof dataType;

/** NFT_DATA_VERDICT: the data type of a verdict map. */
const VERDICT = 0xffffff00;

/** nft packs the parts of a concatenation six bits each. */
const typeNumber = (types: readonly DataType[]): number =>
  types.reduce((number, type) => (number << 6) | dataType[type].id, 0);

/** In a register each part of a concatenation fills whole words. */
const keyLength = (types: readonly DataType[]): number => {
  const [only, ...more] = types;
  if (only !== undefined && more.length === 0) return dataType[only].length;
  return types.reduce((sum, type) => sum + padded(dataType[type].length), 0);
};

/** What names a set. */
export interface SetName extends TableName {
  readonly set: string;
}

export interface NewSet extends SetName {
  /** One type, or the parts of a concatenation. */
  readonly key: readonly DataType[];
  /** What a map leads to. */
  readonly data?: DataType | "verdict";
  readonly anonymous?: boolean;
  /** No element is added after the transaction that adds the set. */
  readonly constant?: boolean;
  readonly interval?: boolean;
  /** How many elements it is built for. */
  readonly size?: number;
  /** Its number within the transaction, for lookups of an anonymous set. */
  readonly id?: number;
  readonly userData?: readonly UserDatum[];
}

/** A set as the kernel tells it: types by nft's numbers. */
export interface FoundSet extends SetName {
  readonly flags: number;
  readonly keyType: number;
  readonly keyLength: number;
  readonly dataType?: number;
  readonly dataLength?: number;
  /** Lengths of the parts of a concatenation with intervals. */
  readonly fields?: readonly number[];
  readonly handle?: bigint;
  readonly userData?: readonly UserDatum[];
  /** Attributes that the decoder does not know. */
  readonly unknown?: readonly RawAttribute[];
}

/** For errors: `set s of table inet t`. */
export const describeSet = ({ family, table, set }: SetName): string =>
  `set ${set} of table ${family} ${table}`;

function flagsOf(set: NewSet): number {
  return (
    (set.anonymous ? setFlag.anonymous : 0) |
    (set.constant ? setFlag.constant : 0) |
    (set.interval ? setFlag.interval : 0) |
    (set.data === undefined ? 0 : setFlag.map) |
    (set.interval && set.key.length > 1 ? setFlag.concatenation : 0)
  );
}

/** Adds a set or map. One that is there stays, unless `exclusive` (EEXIST). */
export const addSet = (set: NewSet, options: { exclusive?: boolean } = {}): Request =>
  request(
    `add ${describeSet(set)}`,
    messageType.newSet,
    set.family,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    (writer) => {
      putString(writer, NFTA_SET_TABLE, set.table);
      putString(writer, NFTA_SET_NAME, set.set);
      putU32be(writer, NFTA_SET_FLAGS, flagsOf(set));
      putU32be(writer, NFTA_SET_KEY_TYPE, typeNumber(set.key));
      putU32be(writer, NFTA_SET_KEY_LEN, keyLength(set.key));
      const { data } = set;
      if (data === "verdict") {
        putU32be(writer, NFTA_SET_DATA_TYPE, VERDICT);
        putU32be(writer, NFTA_SET_DATA_LEN, 0);
      } else if (data !== undefined) {
        putU32be(writer, NFTA_SET_DATA_TYPE, dataType[data].id);
        putU32be(writer, NFTA_SET_DATA_LEN, dataType[data].length);
      }
      putU32be(writer, NFTA_SET_ID, set.id ?? 0);
      const fields = set.interval && set.key.length > 1 ? set.key : undefined;
      if (set.size !== undefined || fields !== undefined) {
        putNested(writer, NFTA_SET_DESC, (description) => {
          putU32be(description, NFTA_SET_DESC_SIZE, set.size);
          if (fields === undefined) return;
          putNested(description, NFTA_SET_DESC_CONCAT, (list) => {
            for (const type of fields) {
              putNested(list, NFTA_LIST_ELEM, (field) =>
                putU32be(field, NFTA_SET_FIELD_LEN, dataType[type].length),
              );
            }
          });
        });
      }
      putBytes(writer, NFTA_SET_USERDATA, encodeUserData(set.userData));
    },
  );

/** Asks for one set; ENOENT when there is none, or no such table. */
export const getSet = (set: SetName): Request =>
  request(`find ${describeSet(set)}`, messageType.getSet, set.family, 0, (writer) => {
    putString(writer, NFTA_SET_TABLE, set.table);
    putString(writer, NFTA_SET_NAME, set.set);
  });

/** Asks for the sets of a table. */
export const dumpSets = (table: TableName): Request =>
  request(
    `list the sets of table ${table.family} ${table.table}`,
    messageType.getSet,
    table.family,
    0,
    (writer) => putString(writer, NFTA_SET_TABLE, table.table),
  );

/** Deletes a set; EBUSY while a rule looks in it, ENOENT when there is none. */
export const deleteSet = (set: SetName): Request =>
  request(`delete ${describeSet(set)}`, messageType.deleteSet, set.family, 0, (writer) => {
    putString(writer, NFTA_SET_TABLE, set.table);
    putString(writer, NFTA_SET_NAME, set.set);
  });

function readFields(attributes: Attributes): readonly number[] | undefined {
  const list = attributes.nested(NFTA_SET_DESC)?.nested(NFTA_SET_DESC_CONCAT)?.list();
  return list
    ?.filter((item) => attributeType(item) === NFTA_LIST_ELEM)
    .map((item) => required(new Attributes(item.payload).u32be(NFTA_SET_FIELD_LEN), "field length"));
}

/** @throws DecodeError */
export function decodeSet(message: Message): FoundSet {
  const { family, attributes } = decodeHeader(message);
  return {
    family,
    table: required(attributes.string(NFTA_SET_TABLE), "table name"),
    set: required(attributes.string(NFTA_SET_NAME), "set name"),
    flags: attributes.u32be(NFTA_SET_FLAGS) ?? 0,
    keyType: required(attributes.u32be(NFTA_SET_KEY_TYPE), "key type"),
    keyLength: required(attributes.u32be(NFTA_SET_KEY_LEN), "key length"),
    ...present({
      dataType: attributes.u32be(NFTA_SET_DATA_TYPE),
      dataLength: attributes.u32be(NFTA_SET_DATA_LEN),
      fields: readFields(attributes),
      handle: attributes.u64be(NFTA_SET_HANDLE),
      userData: decodeUserData(attributes.bytes(NFTA_SET_USERDATA)),
    }),
    unknown: attributes.unread(),
  };
}
