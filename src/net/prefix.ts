/**
 * An address with a prefix length, as in "10.1.2.3/24". Host bits are kept, so the same type serves an
 * interface's address and, with host bits zero, a network or a route's destination.
 */
import { bits, type Family, formatIp, type IpAddress, parseDecimal, parseIp } from "./ip.ts";

export interface Prefix {
  readonly address: IpAddress;
  /** 0 to 32 or 128. */
  readonly length: number;
}

/**
 * Parses "address/length", or returns undefined; also for an IPv4-mapped IPv6 address, whose length could be meant for
 * either family.
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

/** Last address of the network: for IPv4 the broadcast address. */
export function lastAddress(prefix: Prefix): IpAddress {
  const { family, value } = prefix.address;
  return { family, value: value | hostMask(prefix) };
}

/** Whether the network of `prefix` holds `address`. False across families. */
export const contains = (prefix: Prefix, address: IpAddress): boolean =>
  prefix.address.family === address.family &&
  ((prefix.address.value ^ address.value) & ~hostMask(prefix)) === 0n;

/** Whether the two networks share an address. */
export const overlaps = (a: Prefix, b: Prefix): boolean =>
  contains(a, networkOf(b).address) || contains(b, networkOf(a).address);

/** Whether one of the addresses is of the family. */
export function hasFamily(ips: readonly { readonly address: Prefix }[], family: Family): boolean {
  for (const { address } of ips) if (address.address.family === family) return true;
  return false;
}

/** Whether one of the prefixes is this one. */
export function includesPrefix(prefixes: readonly Prefix[], wanted: Prefix): boolean {
  for (const prefix of prefixes) if (samePrefix(prefix, wanted)) return true;
  return false;
}

/** The default route's destination of a family. */
export const defaultPrefix = (family: Family): Prefix => ({ address: { family, value: 0n }, length: 0 });

/** Same address, same length. */
export const samePrefix = (a: Prefix, b: Prefix): boolean =>
  a.length === b.length && a.address.family === b.address.family && a.address.value === b.address.value;
