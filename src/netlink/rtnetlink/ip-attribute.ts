/** IP addresses in attributes, 4 or 16 bytes in network order, and the AF_* numbers that tell which they are. */
import { bits, type Family, type IpAddress, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import { type Attributes, putBytes } from "../attribute.ts";
import type { ByteWriter } from "../bytes.ts";
import { DecodeError } from "../error.ts";

/** AF_INET and AF_INET6, for every message that carries addresses. */
export const addressFamily = { 4: 2, 6: 10 } as const;

/** The family of an AF_* number; undefined for one that is not of IP. */
export const familyOf = (number: number): Family | undefined =>
  number === addressFamily[4] ? 4 : number === addressFamily[6] ? 6 : undefined;

/** An address as an attribute; nothing for undefined. */
export function putIp(writer: ByteWriter, type: number, address: IpAddress | undefined): void {
  if (address !== undefined) putBytes(writer, type, ipToBytes(address));
}

/** The address in an attribute. @throws DecodeError when it has neither 4 nor 16 bytes, or is not of `family`. */
export function ipOf(attributes: Attributes, type: number, family?: Family): IpAddress | undefined {
  const bytes = attributes.bytes(type);
  if (bytes === undefined) return undefined;
  const address = ipFromBytes(bytes);
  if (address === undefined || (family !== undefined && address.family !== family)) {
    throw new DecodeError(
      `attribute ${type} has ${bytes.length} bytes: no IPv${family ?? "4 or IPv6"} address`,
    );
  }
  return address;
}

/** An address and its length from elsewhere in the message. @throws DecodeError when the length is too great. */
export function prefixOf(address: IpAddress, length: number): Prefix {
  if (length <= bits(address.family)) return { address, length };
  throw new DecodeError(`an IPv${address.family} address with a prefix length of ${length}`);
}
