/**
 * User data: bytes that the kernel stores with a table, chain, rule, set or element for user space. In libnftnl's form
 * (libnftnl/udata.h) they are a list of { u8 type; u8 length; value }. A comment has type 0, but on a set type 7.
 */
import { UnfitError } from "../error.ts";
import type { Custom } from "../schema.ts";

/** One datum: a type whose meaning depends on the object, and at most 255 bytes. */
export interface UserDatum {
  readonly type: number;
  readonly value: Uint8Array;
}

const COMMENT = 0;

const encoder = new TextEncoder();
/** U+FEFF at the beginning of a name is not a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text, with its final NUL. */
export const text = (type: number, value: string): UserDatum => ({
  type,
  value: encoder.encode(`${value}\0`),
});

/** A comment on a table, chain, rule or element. */
export const comment = (words: string): UserDatum => text(COMMENT, words);

/** The comment on a table, chain, rule or element. */
export const commentOf = (data: readonly UserDatum[] | undefined): string | undefined =>
  textOf(data, COMMENT);

/** The datum of a type as text without its final NUL. */
export function textOf(data: readonly UserDatum[] | undefined, type: number): string | undefined {
  const value = data?.find((datum) => datum.type === type)?.value;
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return decoder.decode(end < 0 ? value : value.subarray(0, end));
}

/** The codec for schemas. Bytes of another form are ignored, since any program may write user data. */
export const USER_DATA: Custom<readonly UserDatum[]> = {
  encode(data) {
    if (data.length === 0) return undefined;
    let size = 0;
    for (const { value } of data) size += 2 + value.length;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const { type, value } of data) {
      const { length } = value;
      if (length > 255)
        throw new UnfitError(`user data of type ${type} has ${length} bytes, at most 255 fit`);
      bytes[at] = type;
      bytes[at + 1] = length;
      bytes.set(value, at + 2);
      at += 2 + length;
    }
    return bytes;
  },
  decode(bytes) {
    const data: UserDatum[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 2 + (bytes[at + 1] ?? bytes.length);
      if (end > bytes.length) return undefined;
      data.push({ type: bytes[at] ?? 0, value: bytes.slice(at + 2, end) });
      at = end;
    }
    return data;
  },
};
