/**
 * Reads a JSON object by a table of keys. Keys match in any case, the exact spelling first (rule A14, as in the Go
 * plugins). Null counts as absent. Keys that are not in the table are ignored.
 */
import { parseIp } from "../net/ip.ts";
import { isUnicastMac, parseMac } from "../net/mac.ts";
import { parsePrefix } from "../net/prefix.ts";
import { KeyError, wrongType } from "./key-error.ts";
import type { Document, Keys, Parsed } from "./keys.ts";

/** The roots of the places that a table names. */
export interface Elsewhere {
  /** The whole document. */
  readonly document: Document;
  /** The variables of CNI_ARGS. */
  readonly variables: Document | undefined;
}

/**
 * The values of these keys in an object. `path` is its place in the document, "" for the document itself.
 * @throws KeyError with the key's path from the document's root, as in `ipam.ranges[0][1].subnet`
 */
export function parse<Table extends Keys>(
  keys: Table,
  value: unknown,
  path = "",
  elsewhere?: Elsewhere,
): Parsed<Table> {
  const document = objectOf(value, path);
  const result: Record<string, unknown> = {};
  // Destructuring [name, type, …] would be slower: it uses an iterator.
  for (const row of keys) {
    const name = row[0];
    const type = row[1];
    const places = row[5];
    let read: unknown;
    if (places !== undefined) {
      if (elsewhere !== undefined) read = readElsewhere(places, type, elsewhere, row[4]);
    } else {
      const found = get(document, name);
      if (found !== undefined) read = convert(type, found, path === "" ? name : `${path}.${name}`, row[4]);
      else if (type.endsWith("!")) throw missing(path === "" ? name : `${path}.${name}`, type);
    }
    if (read !== undefined) result[name] = read;
    else if (row[2] !== null) result[name] = row[2];
  }
  return result as Parsed<Table>;
}

/** A JSON value as an object. @throws KeyError */
export function objectOf(value: unknown, path: string): Document {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Document;
  throw wrongType(path, "an object", value);
}

/** The value under a key, undefined when absent or null. */
export function get(document: Document, name: string): unknown {
  let value = document[name];
  if (value === undefined) {
    for (const spelling in document) {
      if (spelling.length !== name.length || spelling.toLowerCase() !== name.toLowerCase()) continue;
      value = document[spelling];
      break;
    }
  }
  return value ?? undefined;
}

/** The first value found in these places. */
function readElsewhere(
  places: string,
  type: string,
  { document, variables }: Elsewhere,
  keys?: Keys | null,
): unknown {
  for (const place of places.split(" ")) {
    const steps = place.split(".");
    const isVariable = steps[0] === "CNI_ARGS";
    let value: unknown = isVariable ? variables : document;
    for (let step = isVariable ? 1 : 0; step < steps.length && value !== undefined; step++)
      value = get(objectOf(value, steps.slice(0, step).join(".")), steps[step] as string);
    if (value === undefined) continue;
    // A list of the configuration is one text in a variable.
    const isItem = isVariable && type.endsWith("[]");
    const read = convert(
      isItem ? type.slice(0, -2) : type,
      value,
      isVariable ? steps.join(" ") : place,
      keys,
    );
    // An empty list is as good as none.
    if (read !== undefined && !(Array.isArray(read) && read.length === 0)) return isItem ? [read] : read;
  }
  return undefined;
}

/** A value of that type; undefined for an empty text outside a list. No prefix is empty. */
function convert(type: string, value: unknown, at: string, keys?: Keys | null): unknown {
  // Most values: a list may have hundreds.
  if (type === "text" ? typeof value === "string" && value !== "" : type === "integer" && isInteger(value))
    return value;
  if (type.endsWith("!")) {
    const isMissing = value === "" && !type.endsWith("]!");
    return isMissing ? fail(missing(at, type)) : convert(type.slice(0, -1), value, at, keys);
  }
  if (type.endsWith("[]")) {
    if (!Array.isArray(value)) throw wrongType(at, "an array", value);
    const list: unknown[] = [];
    for (let index = 0; index < value.length; index++)
      list.push(convert(type.slice(0, -2), value[index], `${at}[${index}]`, keys));
    return list;
  }
  switch (type) {
    case "any":
      return value;
    case "boolean":
      return typeof value === "boolean" ? value : fail(wrongType(at, "true or false", value));
    case "object":
      return keys ? parse(keys, value, at) : objectOf(value, at);
  }
  if (type === "integer" || type.includes("..")) {
    if (!isInteger(value)) throw wrongType(at, "a whole number", value);
    return type === "integer" || isWithin(type, value) ? value : fail(invalid(at, type, value));
  }
  if (typeof value !== "string") throw wrongType(at, "a string", value);
  if (value === "" && type !== "prefix" && !at.endsWith("]")) return undefined;
  switch (type) {
    case "text":
      return value;
    case "path":
      return value.includes("\0") ? fail(invalid(at, type, value)) : value;
    case "address":
      return parseIp(value) ?? fail(invalid(at, type, value));
    case "address/length":
      return (
        (value.includes("/") ? parsePrefix(value)?.address : parseIp(value)) ?? fail(invalid(at, type, value))
      );
    case "prefix":
      return parsePrefix(value) ?? fail(invalid(at, type, value));
    case "mac": {
      const mac = parseMac(value);
      return mac !== undefined && isUnicastMac(mac) ? mac : fail(invalid(at, type, value));
    }
    default:
      return type.split("|").includes(value) ? value : fail(invalid(at, type, value));
  }
}

const isInteger = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value);

/** Whether a number is one of "0|68..65535". */
const isWithin = (type: string, value: number): boolean =>
  type.split("|").some((part) => {
    const [first, last = first] = part.split("..");
    return value >= Number(first) && value <= Number(last);
  });

function fail(error: KeyError): never {
  throw error;
}

/** What a value must be, for errors. */
function expectedOf(type: string): string {
  switch (type) {
    case "address":
    case "address/length":
      return "an IP address";
    case "prefix":
      return "an IP address with its prefix length";
    default:
      return "a string";
  }
}

/** A missing text is a decoding error; anything else that is missing makes the configuration invalid. */
function missing(at: string, type: string): KeyError {
  if (type === "text!") return wrongType(at, "a string that is not empty", undefined);
  const expected = expectedOf(type.slice(0, -1));
  return new KeyError(at, expected, undefined, `${at}: missing; it must be ${expected}`);
}

function invalid(at: string, type: string, value: string | number): KeyError {
  const found = JSON.stringify(value);
  return new KeyError(at, expectedOf(type), value, problem(at, type, found));
}

function problem(at: string, type: string, found: string): string {
  switch (type) {
    case "address":
    case "address/length":
      return `${at}: invalid IP address ${found}`;
    case "prefix":
      return `${at}: invalid CIDR address ${found} (as in "10.1.2.0/24" or "fd00:1::/64")`;
    case "path":
      return `${at}: ${found} is not a path: it contains a NUL byte`;
    case "mac":
      return `invalid MAC address ${found} (${at}): six hex pairs are wanted, as in "02:00:5e:10:00:01", and no group address`;
  }
  const parts = type.split("|").map((part) => {
    const [first, last] = part.split("..");
    if (last !== undefined) return `between ${first} and ${last}`;
    return Number.isNaN(Number(part)) ? JSON.stringify(part) : part;
  });
  return `invalid ${at} ${found} (must be ${parts.join(" or ")})`;
}
