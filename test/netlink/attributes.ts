/** A second, simple attribute codec, so that the codec is not verified with itself. */
import type { RawAttribute } from "../../src/netlink/schema.ts";

/** Decodes well-formed attributes, in their order. */
export function attributesIn(bytes: Uint8Array): RawAttribute[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const attributes: RawAttribute[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) throw new Error(`an attribute of ${length} bytes at ${at}`);
    attributes.push({ type: view.getUint16(at + 2, true), payload: bytes.slice(at + 4, at + length) });
    at += (length + 3) & ~3;
  }
  return attributes;
}

/** Encodes attributes. */
export const attributeBytes = (attributes: readonly RawAttribute[]): Uint8Array =>
  Uint8Array.from(
    attributes.flatMap(({ type, payload }) => [
      ...[(payload.length + 4) & 0xff, (payload.length + 4) >> 8, type & 0xff, type >> 8],
      ...payload,
      ...new Array<number>(-payload.length & 3).fill(0),
    ]),
  );

/** Type of an attribute without its flags. */
export const attributeType = ({ type }: RawAttribute): number => type & 0x3fff;

/** The four bytes of a number, in host order. */
export const hostOrder = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
