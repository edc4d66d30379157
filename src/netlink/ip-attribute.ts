/** IP addresses in attributes (4 or 16 bytes in network order), and the AF_* numbers of their families. */
import { bits, type Family, type IpAddress, ipFromBytes, ipToBytes } from "../net/ip.ts";
import type { Prefix } from "../net/prefix.ts";
import { DecodeError } from "./error.ts";
import type { Custom } from "./schema.ts";

/** AF_INET and AF_INET6, for every message that carries addresses. */
export const addressFamily = { 4: 2, 6: 10 } as const;

/** The family of an AF_* number; undefined for other families than IP. */
export const familyOf = (number: number): Family | undefined =>
  number === addressFamily[4] ? 4 : number === addressFamily[6] ? 6 : undefined;

/** The codec for schemas. */
export const IP: Custom<IpAddress> = {
  encode: ipToBytes,
  decode(bytes, type) {
    const address = ipFromBytes(bytes);
    if (address !== undefined) return address;
    throw new DecodeError(`attribute ${type} has ${bytes.length} bytes: not an IPv4 or IPv6 address`);
  },
};

/** The family of a message's header. All addresses in the message must have it. @throws DecodeError */
export function checkFamilies(
  number: number,
  what: string,
  ...addresses: readonly (IpAddress | undefined)[]
): Family {
  const family = familyOf(number);
  if (family === undefined) throw new DecodeError(`${what} of address family ${number}`);
  for (const address of addresses) {
    if (address !== undefined && address.family !== family)
      throw new DecodeError(`${what} of IPv${family} with an IPv${address.family} address`);
  }
  return family;
}

/** An address with a prefix length. @throws DecodeError when the length is too great. */
export function prefixOf(address: IpAddress, length: number): Prefix {
  if (length <= bits(address.family)) return { address, length };
  throw new DecodeError(`an IPv${address.family} address with a prefix length of ${length}`);
}
