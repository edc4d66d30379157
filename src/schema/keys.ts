/**
 * The form of a table of keys of a JSON object: their names, values and meaning. parse.ts reads objects by such a table,
 * json-schema.ts and markdown.ts make documents of it (docs/decisions/0036-keys-as-tables.md).
 */
import type { IpAddress } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import type { Prefix } from "../net/prefix.ts";

/**
 * One key: its name; its type; its default, null for none; one line of help, empty for keys that users do not configure; for
 * objects, their keys; and the places that it is read from instead, as in "runtimeConfig.mac args.cni.mac CNI_ARGS.MAC".
 * The first place that has a value counts.
 *
 * Rows are arrays of constants, since the engine creates these fastest.
 *
 * | type | values |
 * |---|---|
 * | `text`, `path` | any text; a text without NUL. An empty text counts as absent, except for a `prefix` |
 * | `boolean`, `integer` | true or false; a whole number that JavaScript holds exactly |
 * | `address`, `prefix` | an IP address; an IP address with its prefix length |
 * | `address/length` | an IP address; a prefix length is allowed and ignored |
 * | `mac` | a MAC address that an interface can have |
 * | `object` | an object with keys of its own |
 * | `any` | any value |
 * | `0..4094`, `0|68..65535` | whole numbers within bounds |
 * | `iptables|nftables` | one of these words |
 *
 * After a type, `[]` means a list of such values, and `!` that the key is required.
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

/** A JSON object, not validated. */
export type Document = Readonly<Record<string, unknown>>;

/** An object that was read by a table of keys. */
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
