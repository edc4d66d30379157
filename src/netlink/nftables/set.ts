/** Schema and requests of sets and maps: NFTA_SET_* of uapi linux/netfilter/nf_tables.h. Their elements are in element.ts. */
import { padded } from "../bytes.ts";
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { flag, type Message } from "../message.ts";
import { BE32, BE64, CUSTOM, type Decoded, EACH, INLINE, nest, STRING, schema } from "../schema.ts";
import { messageType, NFGENMSG, request } from "./header.ts";
import type { TableName } from "./table.ts";
import { USER_DATA, type UserDatum } from "./userdata.ts";

export const SET = schema(
  4,
  NFGENMSG,
  [
    [1, "table", STRING],
    [2, "set", STRING],
    [3, "flags", BE32],
    [4, "keyType", BE32],
    [5, "keyLength", BE32],
    [6, "dataType", BE32],
    [7, "dataLength", BE32],
    // Its number within the transaction.
    [10, "id", BE32],
    // NFTA_SET_DESC: the expected number of elements, and the lengths of the parts of a concatenation with intervals.
    [
      9,
      "",
      INLINE,
      nest([
        [1, "size", BE32],
        [2, "", INLINE, nest([[1, "fields", EACH, nest([[1, "length", BE32]], ["length"])]])],
      ]),
    ],
    [13, "userData", CUSTOM, USER_DATA],
    [16, "handle", BE64],
  ],
  ["table", "set", "keyType", "keyLength"],
);

/** NFT_SET_*. An anonymous set belongs to the one rule that uses it, and is deleted with it. */
export const setFlag = { anonymous: 1, constant: 2, interval: 4, map: 8, concatenation: 0x80 } as const;

/** nft's numbers of data types, which the kernel only stores, and the sizes of their values. */
export const dataType = {
  mark: { id: 19, length: 4 },
  inet_service: { id: 13, length: 2 },
  inet_proto: { id: 12, length: 1 },
  ipv4_addr: { id: 7, length: 4 },
  ipv6_addr: { id: 8, length: 16 },
  ether_addr: { id: 9, length: 6 },
  ifname: { id: 41, length: 16 },
} as const;

/** A data type by nft's name. */
export type DataType = keyof typeof dataType;

/** NFT_DATA_VERDICT: the data type of a verdict map. */
const VERDICT = 0xffffff00;

export interface SetName extends TableName {
  readonly set: string;
}

export interface NewSet extends SetName {
  /** One type, or the parts of a concatenation. */
  readonly key: readonly DataType[];
  /** The data type of a map. */
  readonly data?: DataType | "verdict";
  readonly anonymous?: boolean;
  /** Elements are added only in the transaction that adds the set. */
  readonly constant?: boolean;
  readonly interval?: boolean;
  /** The expected number of elements. */
  readonly size?: number;
  /** Its number within the transaction, for lookups of an anonymous set. */
  readonly id?: number;
  readonly userData?: readonly UserDatum[];
}

/** For errors: `set s of table inet t`. */
export const describeSet = ({ family, table, set }: SetName): string =>
  `set ${set} of table ${family} ${table}`;

/** Adds a set or map. An existing one stays; EEXIST if `exclusive` is set. */
export function addSet(set: NewSet, options: { exclusive?: boolean } = {}): Request {
  const { family, table, key, data, interval, size, id = 0, userData } = set;
  // nft packs the numbers of the parts into six bits each. In a register each part is padded to whole words.
  let [keyType, keyLength] = [0, 0];
  for (const type of key) {
    keyType = (keyType << 6) | dataType[type].id;
    keyLength += key.length === 1 ? dataType[type].length : padded(dataType[type].length);
  }
  const areRanges = interval && key.length > 1;
  const type = data === "verdict" ? { id: VERDICT, length: 0 } : data && dataType[data];
  return request(
    `add ${describeSet(set)}`,
    messageType.newSet,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    SET,
    {
      family,
      table,
      set: set.set,
      flags:
        (set.anonymous ? setFlag.anonymous : 0) |
        (set.constant ? setFlag.constant : 0) |
        (interval ? setFlag.interval : 0) |
        (data === undefined ? 0 : setFlag.map) |
        (areRanges ? setFlag.concatenation : 0),
      keyType,
      keyLength,
      dataType: type?.id,
      dataLength: type?.length,
      id,
      size,
      fields: areRanges ? key.map((part) => ({ length: dataType[part].length })) : undefined,
      userData,
    },
  );
}

const named =
  (verb: string, type: number) =>
  (name: SetName): Request =>
    request(`${verb} ${describeSet(name)}`, type, 0, SET, {
      family: name.family,
      table: name.table,
      set: name.set,
    });

/** Gets one set; ENOENT when it or its table does not exist. */
export const getSet = named("find", messageType.getSet);

/** Deletes a set; EBUSY while a rule uses it, ENOENT when it does not exist. */
export const deleteSet = named("delete", messageType.deleteSet);

/** Lists the sets of a table. */
export const dumpSets = ({ family, table }: TableName): Request =>
  request(`list the sets of table ${family} ${table}`, messageType.getSet, 0, SET, { family, table });

/**
 * Adds an anonymous set with the properties of another; its number `id` within the transaction names it. The kernel reports
 * more attributes than it accepts, such as the number of elements.
 */
export const copySet = (
  { handle: _, unknown: _more, ...set }: Decoded<typeof SET>,
  { family, table }: TableName,
  id: number,
): Request =>
  request(`add a copy of set ${set.set}`, messageType.newSet, flag.create, SET, {
    ...set,
    family,
    table,
    set: NEW_ANONYMOUS,
    id,
  });

/** The kernel puts a number into this name. */
export const NEW_ANONYMOUS = "__set%d";

/** @throws DecodeError */
export const decodeSet = ({ payload }: Message): Decoded<typeof SET> => decode(SET, payload);
