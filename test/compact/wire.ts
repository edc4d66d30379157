/** Values between a test and its program on the compact host, as JSON. */

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Bytes and bigints as objects that say so; lists piece by piece; all else as it is. */
export function encode(value: unknown): unknown {
  if (typeof value === "bigint") return { big: value.toString() };
  if (value instanceof Uint8Array) return { bytes: Array.from(value) };
  if (Array.isArray(value)) return value.map(encode);
  return value;
}

/** The value of what encode() made. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  if ("big" in value) return BigInt(String(value.big));
  if ("bytes" in value) return Uint8Array.from(value.bytes as number[]);
  return value;
}
