/**
 * Keys of a JSON object as a table: what they are called, what values they take, what they mean. parse.ts reads objects by
 * it, json-schema.ts and markdown.ts tell people of it (docs/decisions/0036-keys-as-tables.md).
 */
import type { IpAddress } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import type { Prefix } from "../net/prefix.ts";

/**
 * One key: its name; its type; the value without it, null for none; one line of help, empty for what no one configures;
 * the keys of its objects; and the places that it is read from instead, of which the first that has a value counts:
 * "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC".
 *
 * Rows are arrays of constants, since that is what the engine makes in the least time.
 *
 * | type | values |
 * |---|---|
 * | `text`, `path` | any text; one without a NUL. An empty one counts as none |
 * | `boolean`, `integer` | a whole number that JavaScript holds exactly |
 * | `address`, `prefix` | an IP address; one with its prefix length |
 * | `address/length` | an IP address, whose length, if it has one, says nothing |
 * | `mac` | a MAC address that an interface can have |
 * | `object` | an object with keys of its own |
 * | `any` | whatever it is |
 * | `0..4094`, `0|68..65535` | whole numbers within bounds |
 * | `iptables|nftables` | one of these words |
 *
 * Behind it `[]` is a list of such values, and `!` says that the key must be there.
 */
export type Key = readonly [
  name: string,
  type: string,
  fallback: string | number | boolean | null,
  help: string,
  keys?: Keys | null,
  places?: string,
];

/** A table of keys. */
export type Keys = readonly Key[];

/** A JSON object as it came. */
export type Document = Readonly<Record<string, unknown>>;

/** What an object holds that was read by a table. */
export type Parsed<Table extends Keys> = Flat<
  {
    -readonly [Row in Table[number] as IsSure<Row> extends true ? Row[0] : never]: ValueOf<Row[1], Row[4]>;
  } & {
    -readonly [Row in Table[number] as IsSure<Row> extends true ? never : Row[0]]?: ValueOf<Row[1], Row[4]>;
  }
>;

type Flat<T> = { [Name in keyof T]: T[Name] };

type IsSure<Row extends Key> = Row[2] extends null ? (Row[1] extends `${string}!` ? true : false) : true;

type ValueOf<Type extends string, More> = Type extends `${infer Inner}!`
  ? ValueOf<Inner, More>
  : Type extends `${infer Item}[]`
    ? ValueOf<Item, More>[]
    : Type extends keyof Plain
      ? Plain[Type]
      : Type extends "object"
        ? More extends Keys
          ? Parsed<More>
          : Document
        : Type extends `${string}..${string}`
          ? number
          : Word<Type>;

interface Plain {
  readonly text: string;
  readonly path: string;
  readonly boolean: boolean;
  readonly integer: number;
  readonly address: IpAddress;
  readonly "address/length": IpAddress;
  readonly prefix: Prefix;
  readonly mac: Mac;
  readonly any: unknown;
}

type Word<Type extends string> = Type extends `${infer First}|${infer Rest}` ? First | Word<Rest> : Type;
