/**
 * Checked access to a JSON object of a configuration. Keys match without regard to case, the exact spelling first
 * (rule A14: the Go plugins do the same); null counts as absent; a wrong type is a decoding error (code 6) that
 * names the key's path from the document's root, as in `ipam.ranges[0][1].subnet`.
 */
import { CniError, code } from "./error.ts";

/** One object of a JSON document, which knows its place there. */
export class JsonObject {
  readonly path: string;
  readonly raw: Readonly<Record<string, unknown>>;
  private keys: readonly string[] | undefined;

  private constructor(raw: Record<string, unknown>, path: string) {
    this.raw = raw;
    this.path = path;
  }

  /** `value` as an object; `path` names it in errors, "" for the document itself. */
  static from(value: unknown, path: string): JsonObject {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return new JsonObject(value as Record<string, unknown>, path);
    }
    throw wrongType(path, "an object", value);
  }

  /** The value under a key, undefined when absent or null. */
  get(key: string): unknown {
    const spelling = this.spellingOf(key);
    return spelling === undefined ? undefined : (this.raw[spelling] ?? undefined);
  }

  /** Whether the key is there, be it with null. */
  has(key: string): boolean {
    return this.spellingOf(key) !== undefined;
  }

  /** The key as the document spells it. */
  private spellingOf(key: string): string | undefined {
    this.keys ??= Object.keys(this.raw);
    if (this.keys.includes(key)) return key;
    const lower = key.toLowerCase();
    for (const candidate of this.keys) {
      if (candidate.length === key.length && candidate.toLowerCase() === lower) return candidate;
    }
    return undefined;
  }

  /** Path of a key below this object. */
  at(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  string(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === "string") return value;
    throw wrongType(this.at(key), "a string", value);
  }

  boolean(key: string): boolean | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === "boolean") return value;
    throw wrongType(this.at(key), "true or false", value);
  }

  /** A whole number that JavaScript holds exactly. */
  integer(key: string): number | undefined {
    const value = this.get(key);
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value))) return value;
    throw wrongType(this.at(key), "a whole number", value);
  }

  object(key: string): JsonObject | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : JsonObject.from(value, this.at(key));
  }

  /** The array under a key, each item converted by `item`, which gets the item and its path. */
  array<T>(key: string, item: (value: unknown, path: string) => T): T[] | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : arrayOf(value, this.at(key), item);
  }

  strings(key: string): string[] | undefined {
    return this.array(key, (value, path) => {
      if (typeof value === "string") return value;
      throw wrongType(path, "a string", value);
    });
  }
}

/** `value` as an array, each item converted. For arrays inside arrays. */
export function arrayOf<T>(value: unknown, path: string, item: (value: unknown, path: string) => T): T[] {
  if (!Array.isArray(value)) throw wrongType(path, "an array", value);
  return value.map((element, index) => item(element, `${path}[${index}]`));
}

/** The error for a value of the wrong kind; undefined is one that is missing. `path` "" is the whole document. */
export function wrongType(path: string, expected: string, value: unknown): CniError {
  const place = path === "" ? "the network configuration" : `key "${path}"`;
  const found = value === undefined ? "is missing; it must" : "must";
  const but = value === undefined ? "" : `, not ${describe(value)}`;
  return new CniError(code.decoding, `cannot decode: ${place} ${found} be ${expected}${but}`);
}

/** Short, whatever was sent: it becomes part of a message. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
