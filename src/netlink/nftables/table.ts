/** Schema and requests of tables: NFTA_TABLE_* of uapi linux/netfilter/nf_tables.h. */
import type { Request } from "../connection.ts";
import { decode } from "../decode.ts";
import { flag, type Message } from "../message.ts";
import { BE32, BE64, CUSTOM, type Fields, STRING, schema } from "../schema.ts";
import { messageType, NFGENMSG, request, type TableFamily } from "./header.ts";
import { USER_DATA } from "./userdata.ts";

export const TABLE = schema(
  4,
  NFGENMSG,
  [
    [1, "table", STRING],
    // NFT_TABLE_F_*: 1 dormant.
    [2, "flags", BE32],
    [6, "userData", CUSTOM, USER_DATA],
    // Only decoded: the number of chains, sets and other objects in it, and the kernel's number for it.
    [3, "use", BE32],
    [4, "handle", BE64],
  ],
  ["table"],
);

export interface TableName {
  readonly family: TableFamily;
  readonly table: string;
}

export type Table = Fields<typeof TABLE> & TableName;

/** For errors: `table inet t`. */
const describeTable = ({ family, table }: TableName): string => `table ${family} ${table}`;

/** Adds a table. An existing one stays; EEXIST if `exclusive` is set. */
export const addTable = (table: Table, options: { exclusive?: boolean } = {}): Request =>
  request(
    `add ${describeTable(table)}`,
    messageType.newTable,
    flag.create | (options.exclusive ? flag.exclusive : 0),
    TABLE,
    table,
  );

const named =
  (verb: string, type: number) =>
  (name: TableName): Request =>
    request(`${verb} ${describeTable(name)}`, type, 0, TABLE, { family: name.family, table: name.table });

/** Gets one table; ENOENT when it does not exist. */
export const getTable = named("find", messageType.getTable);

/** Deletes a table with its content; ENOENT when it does not exist. */
export const deleteTable = named("delete", messageType.deleteTable);

/** @throws DecodeError */
export const decodeTable = ({ payload }: Message): Table => decode(TABLE, payload);
