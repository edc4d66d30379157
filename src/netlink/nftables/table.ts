/** Tables: NFTA_TABLE_* of uapi linux/netfilter/nf_tables.h. */
import { present, putBytes, putRaw, putString, putU32be, type RawAttribute } from "../attribute.ts";
import type { Request } from "../connection.ts";
import { flag, type Message } from "../message.ts";
import { decodeHeader, messageType, request, required, type TableFamily } from "./header.ts";
import { decodeUserData, encodeUserData, type UserDatum } from "./userdata.ts";

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_USE = 3;
const NFTA_TABLE_HANDLE = 4;
const NFTA_TABLE_USERDATA = 6;

/** What names a table. */
export interface TableName {
  readonly family: TableFamily;
  readonly table: string;
}

export interface Table extends TableName {
  /** NFT_TABLE_F_*: 1 dormant. */
  readonly flags?: number;
  readonly userData?: readonly UserDatum[];
  /** The kernel's number for it. Only decoded, as is `use`. */
  readonly handle?: bigint;
  /** Chains, sets and other objects in it. */
  readonly use?: number;
  /** Attributes that the decoder does not know. */
  readonly unknown?: readonly RawAttribute[];
}

/** For errors: `table inet t`. */
export const describeTable = ({ family, table }: TableName): string => `table ${family} ${table}`;

/** Adds a table. One that is there stays as it is, unless `exclusive`: then EEXIST. */
export const addTable = (table: Table, options: { exclusive?: boolean } = {}): Request =>
  request(
    `add ${describeTable(table)}`,
    messageType.newTable,
    table.family,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    (writer) => {
      putString(writer, NFTA_TABLE_NAME, table.table);
      putU32be(writer, NFTA_TABLE_FLAGS, table.flags);
      putBytes(writer, NFTA_TABLE_USERDATA, encodeUserData(table.userData));
      putRaw(writer, table.unknown);
    },
  );

/** Asks for one table; ENOENT when there is none. */
export const getTable = (table: TableName): Request =>
  request(`find ${describeTable(table)}`, messageType.getTable, table.family, 0, (writer) =>
    putString(writer, NFTA_TABLE_NAME, table.table),
  );

/** Deletes a table with all that is in it; ENOENT when there is none. */
export const deleteTable = (table: TableName): Request =>
  request(`delete ${describeTable(table)}`, messageType.deleteTable, table.family, 0, (writer) =>
    putString(writer, NFTA_TABLE_NAME, table.table),
  );

/** @throws DecodeError */
export function decodeTable(message: Message): Table {
  const { family, attributes } = decodeHeader(message);
  return {
    family,
    table: required(attributes.string(NFTA_TABLE_NAME), "table name"),
    ...present({
      flags: attributes.u32be(NFTA_TABLE_FLAGS),
      use: attributes.u32be(NFTA_TABLE_USE),
      handle: attributes.u64be(NFTA_TABLE_HANDLE),
      userData: decodeUserData(attributes.bytes(NFTA_TABLE_USERDATA)),
    }),
    unknown: attributes.unread(),
  };
}
