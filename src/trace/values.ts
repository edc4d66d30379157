/** Decoded objects of netlink in words, by the names of their schemas' fields. */
import { formatIp, type IpAddress, ipFromBytes } from "../net/ip.ts";
import { formatMac } from "../net/mac.ts";
import { comparison, type Expression, metaKey, payloadBase } from "../netlink/nftables/expression.ts";
import { commentOf, type UserDatum } from "../netlink/nftables/userdata.ts";

/** An object's fields by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** Most bytes of a value that are shown. */
const SHOWN = 32;

const decoder = new TextDecoder();

/** The fields of an object that are not in `besides`. Zeros, which netlink has for what is not given, are left out. */
export function wordsOf(fields: Fields, besides: readonly string[] = []): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields))
    if (name !== "unknown" && !besides.includes(name)) {
      const words = wordOf(name, value);
      if (words !== "") parts.push(words);
    }
  return parts.join(", ");
}

function wordOf(name: string, value: unknown): string {
  if (value === undefined || value === 0 || value === 0n || value === false) return "";
  if (value === true) return name;
  if (name === "userData") {
    const comment = commentOf(value as readonly UserDatum[]);
    return comment === undefined ? "" : `comment ${JSON.stringify(comment)}`;
  }
  if (name === "mac") return `mac ${formatMac(value as Uint8Array)}`;
  // The keys of sets are mostly addresses.
  const address = name === "key" && value instanceof Uint8Array ? ipFromBytes(value) : undefined;
  return `${name} ${plain(address ?? value)}`;
}

/** A value alone. */
export function plain(value: unknown): string {
  if (value instanceof Uint8Array) return bytesInWords(value);
  if (Array.isArray(value)) return `[${value.map(plain).join("; ")}]`;
  if (typeof value !== "object" || value === null)
    return typeof value === "string" ? JSON.stringify(value) : String(value);
  return isIp(value) ? formatIp(value) : `{${wordsOf(value as Fields)}}`;
}

const isIp = (value: object): value is IpAddress =>
  "family" in value && typeof (value as IpAddress).value === "bigint";

/** Text, which in a register may be padded with zeros, or hexadecimal digits. */
function bytesInWords(bytes: Uint8Array): string {
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const text = bytes.subarray(0, end);
  if (end > 2 && text.every((byte) => byte >= 0x20 && byte < 0x7f))
    return JSON.stringify(decoder.decode(text));
  return `${bytes.subarray(0, SHOWN).toHex()}${bytes.length > SHOWN ? "…" : ""}`;
}

const OPERATORS = ["==", "!=", "<", "<=", ">", ">="];

/** The name of a number in a table such as `metaKey`. */
const nameIn = (table: Readonly<Record<string, number>>, number: number): string =>
  Object.keys(table).find((name) => table[name] === number) ?? String(number);

/** Offsets of source and destination in the headers of IPv4 and IPv6. */
const ADDRESSES: Readonly<Record<number, string>> = { 12: "saddr", 16: "daddr", 8: "saddr", 24: "daddr" };

/** The expressions of a rule, much as nft writes them. */
export function expressionsInWords(expressions: readonly Expression[]): string {
  let isAddress = false;
  const valueIn = (bytes: Uint8Array): string => {
    const address = isAddress ? ipFromBytes(bytes) : undefined;
    return address === undefined ? bytesInWords(bytes) : formatIp(address);
  };
  return expressions
    .map((expression) => {
      switch (expression.name) {
        case "meta":
          isAddress = false;
          return nameIn(metaKey, expression.key);
        case "payload": {
          const { base, offset, length } = expression;
          isAddress = base === payloadBase.network && (length === 4 || length === 16) && offset in ADDRESSES;
          return isAddress
            ? ADDRESSES[offset]
            : `${nameIn(payloadBase, base)} header bytes ${offset} to ${offset + length - 1}`;
        }
        case "cmp":
          return `${OPERATORS[expression.operator] ?? nameIn(comparison, expression.operator)} ${valueIn(expression.value)}`;
        case "bitwise":
          return `& ${valueIn(expression.mask)}`;
        case "immediate": {
          const { verdict, chain, value } = expression.data;
          if (verdict === undefined) return value === undefined ? "immediate" : `load ${bytesInWords(value)}`;
          return chain === undefined ? verdict : `${verdict} ${chain}`;
        }
        case "lookup":
          return `${expression.inverted ? "not in" : "in"} set ${expression.set}`;
        case "match":
        case "target": {
          const { name, extension, info } = expression;
          const comment = extension === "comment" ? ` ${JSON.stringify(textIn(info))}` : "";
          return `${name} ${extension}${comment}`;
        }
        case "unknown":
          return expression.kind;
        default: {
          const { name, ...fields } = expression;
          const words = wordsOf(fields);
          return words === "" ? name : `${name} {${words}}`;
        }
      }
    })
    .join(" ");
}

/** A C string: the text up to the first NUL. */
export function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
