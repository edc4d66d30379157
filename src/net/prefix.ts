/**
 * An address with a prefix length, as in "10.1.2.3/24". Host bits are kept, so the type serves for an interface's
 * address, and with zero host bits for a network or a route's destination.
 */
import { bits, type Family, formatIp, type IpAddress, parseDecimal, parseIp } from "./ip.ts";

export interface Prefix {
  readonly address: IpAddress;
  /** 0 to 32 or 128. */
  readonly length: number;
}

/**
 * Parses "address/length"; undefined for other text. An IPv4-mapped IPv6 address is refused, since its length could be
 * meant for either family.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  if (address === undefined || (address.family === 4 && text.includes(":"))) return undefined;
  const length = parseDecimal(text.slice(slash + 1), bits(address.family));
  return length === undefined ? undefined : { address, length };
}

/** "address/length" with host bits as they are. */
export const formatPrefix = (prefix: Prefix): string => `${formatIp(prefix.address)}/${prefix.length}`;

/** Host-part mask as a number: 0xff for a /24. */
const hostMask = (prefix: Prefix): bigint => (1n << BigInt(bits(prefix.address.family) - prefix.length)) - 1n;

/** The prefix with its host bits zero. */
export function networkOf(prefix: Prefix): Prefix {
  const { family, value } = prefix.address;
  return { address: { family, value: value & ~hostMask(prefix) }, length: prefix.length };
}

/** Last address of the network, for IPv4 the broadcast address. */
export function lastAddress(prefix: Prefix): IpAddress {
  const { family, value } = prefix.address;
  return { family, value: value | hostMask(prefix) };
}

/** Whether the network of `prefix` contains `address`. False for different families. */
export const contains = (prefix: Prefix, address: IpAddress): boolean =>
  prefix.address.family === address.family &&
  ((prefix.address.value ^ address.value) & ~hostMask(prefix)) === 0n;

/** Whether the two networks share an address. */
export const overlaps = (a: Prefix, b: Prefix): boolean =>
  contains(a, networkOf(b).address) || contains(b, networkOf(a).address);

/** Whether one of the addresses has the family. */
export function hasFamily(ips: readonly { readonly address: Prefix }[], family: Family): boolean {
  for (const { address } of ips) if (address.address.family === family) return true;
  return false;
}

/** Whether `wanted` is one of the prefixes. */
export function includesPrefix(prefixes: readonly Prefix[], wanted: Prefix): boolean {
  for (const prefix of prefixes) if (samePrefix(prefix, wanted)) return true;
  return false;
}

/** Destination of a family's default route. */
export const defaultPrefix = (family: Family): Prefix => ({ address: { family, value: 0n }, length: 0 });

export const samePrefix = (a: Prefix, b: Prefix): boolean =>
  a.length === b.length && a.address.family === b.address.family && a.address.value === b.address.value;
