/**
 * User data: bytes that the kernel keeps with a table, chain, rule, set or element for user space. libnftnl's form
 * (libnftnl/udata.h) is a row of { u8 type; u8 length; value }. Type 0 is the comment of everything but sets, whose
 * comment has type 7.
 */
import { ByteReader, ByteWriter } from "../bytes.ts";
import { DecodeError, UnfitError } from "../error.ts";

/** One datum: a type whose meaning depends on the object, and at most 255 bytes. */
export interface UserDatum {
  readonly type: number;
  readonly value: Uint8Array;
}

/** NFTNL_UDATA_COMMENT_MAXLEN: what nft accepts, in bytes and without the final NUL. */
export const MAX_COMMENT = 128;

const COMMENT = 0;
const SET_COMMENT = 7;

const encoder = new TextEncoder();
/** A name may begin with U+FEFF, which is not a byte order mark there. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text, which ends with a NUL. */
export const text = (type: number, value: string): UserDatum => ({
  type,
  value: encoder.encode(`${value}\0`),
});

/** A comment on a table, chain, rule or element. */
export const comment = (words: string): UserDatum => text(COMMENT, words);

/** A comment on a set or map. */
export const setComment = (words: string): UserDatum => text(SET_COMMENT, words);

/** A number in host order, as libnftnl stores the byte order of a set's key. */
export function number(type: number, value: number): UserDatum {
  const writer = new ByteWriter();
  writer.u32(value);
  return { type, value: writer.finish() };
}

/** The comment on a table, chain, rule or element. */
export const commentOf = (data: readonly UserDatum[] | undefined): string | undefined =>
  textOf(data, COMMENT);

/** The comment on a set or map. */
export const setCommentOf = (data: readonly UserDatum[] | undefined): string | undefined =>
  textOf(data, SET_COMMENT);

/** The datum of a type as text without its final NUL. */
export function textOf(data: readonly UserDatum[] | undefined, type: number): string | undefined {
  const value = data?.find((datum) => datum.type === type)?.value;
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return decoder.decode(end < 0 ? value : value.subarray(0, end));
}

/** Nothing for no data. @throws UnfitError for a value of more than 255 bytes. */
export function encodeUserData(data: readonly UserDatum[] | undefined): Uint8Array | undefined {
  if (data === undefined || data.length === 0) return undefined;
  const writer = new ByteWriter();
  for (const { type, value } of data) {
    if (value.length > 255)
      throw new UnfitError(`user data of type ${type} has ${value.length} bytes, 255 fit`);
    writer.u8(type);
    writer.u8(value.length);
    writer.bytes(value);
  }
  return writer.finish();
}

/** @returns undefined for bytes of another form: any program may write user data, so it is not a reason to fail. */
export function decodeUserData(bytes: Uint8Array | undefined): readonly UserDatum[] | undefined {
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(bytes);
  const data: UserDatum[] = [];
  try {
    while (reader.remaining > 0) {
      const type = reader.u8();
      data.push({ type, value: reader.bytes(reader.u8()) });
    }
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
  return data;
}
