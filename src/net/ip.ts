/**
 * IPv4 and IPv6 addresses as plain values: a family and a number. Parsing is strict (RFC 4291 section 2.2,
 * no leading zeros, no spaces, no zone). Formatting is canonical (RFC 5952) and equals Go's net.IP.String(), since
 * file names on disk use it (rule H50).
 */

/** The version of the Internet Protocol. */
export type Family = 4 | 6;

/** Both families. */
export const FAMILIES: readonly Family[] = [4, 6];

/** An address. `value` is its number in network order: 32 bits for family 4, 128 bits for family 6. */
export interface IpAddress {
  readonly family: Family;
  readonly value: bigint;
}

/** Width of an address in bits. */
export const bits = (family: Family): number => (family === 4 ? 32 : 128);

/** Parses an address, or returns undefined. An IPv4-mapped IPv6 address becomes the IPv4 address, as in Go. */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) return parseIpv4(text);
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

function parseIpv4(text: string): IpAddress | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const octet = parseDecimal(part, 255);
    if (octet === undefined) return undefined;
    value = value * 256 + octet;
  }
  return { family: 4, value: BigInt(value) };
}

/** The number of an IPv4 address whose text is a C string, as parseIp reads it; -1 if it is none. Makes nothing in memory. */
export function ipv4InBytes(text: Uint8Array): number {
  let value = 0;
  for (let at = 0, octets = 1; ; octets++) {
    let octet = (text[at++] ?? 0) - 0x30;
    if (octet < 0 || octet > 9) return -1;
    let next = text[at++] ?? 0;
    for (; next >= 0x30 && next <= 0x39; next = text[at++] ?? 0) {
      if (octet === 0) return -1;
      octet = octet * 10 + next - 0x30;
      if (octet > 255) return -1;
    }
    value = value * 256 + octet;
    if (octets === 4) return next === 0 ? value : -1;
    if (next !== 0x2e) return -1;
  }
}

/** Parses digits without a leading zero; undefined for other text or a number above `largest`. */
export function parseDecimal(text: string, largest: number): number | undefined {
  if (text === "" || (text.length > 1 && text.startsWith("0"))) return undefined;
  let value = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > largest) return undefined;
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" replaces at least one group.
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  let value = 0n;
  for (const group of groups) value = (value << 16n) | BigInt(group);
  return value;
}

/** The 16-bit groups on one side of "::". Only the last group of the address may be dotted IPv4. */
function parseGroups(text: string, dottedAllowed: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  const dotted = dottedAllowed && parts[parts.length - 1]?.includes(".") ? parts.pop() : undefined;
  for (const part of parts) {
    const group = parseGroup(part);
    if (group === undefined) return undefined;
    groups.push(group);
  }
  if (dotted !== undefined) {
    const ipv4 = parseIpv4(dotted);
    if (ipv4 === undefined) return undefined;
    groups.push(Number(ipv4.value >> 16n), Number(ipv4.value & 0xffffn));
  }
  return groups;
}

/** Parses one to four hexadecimal digits. No regular expression: the first of a process costs 0.1 ms. */
function parseGroup(text: string): number | undefined {
  if (text.length < 1 || text.length > 4) return undefined;
  let value = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = "0123456789abcdef".indexOf(text.charAt(index).toLowerCase());
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}

/** The canonical text of an address. An IPv4-mapped address of family 6 is written in groups. */
export function formatIp(address: IpAddress): string {
  if (address.family === 4) {
    const value = Number(address.value);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const groups: number[] = [];
  for (const word of wordsOf(address)) groups.push(word >>> 16, word & 0xffff);
  const [start, length] = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** The first longest run of zero groups, as [start, length]. */
function longestZeroRun(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best[1]) best = [start, index - start];
    start = index + 1;
  }
  return best;
}

/**
 * Words of 32 bits, the most significant first: one for IPv4, four for IPv6. An operation on a bigint costs as much as ten
 * on these.
 */
function wordsOf({ family, value }: IpAddress): number[] {
  const last = Number(value & 0xffffffffn);
  if (family === 4) return [last];
  const [first, second] = [Number(value >> 96n), Number((value >> 64n) & 0xffffffffn)];
  return [first, second, Number((value >> 32n) & 0xffffffffn), last];
}

/** Network-order bytes: 4 or 16. */
export function ipToBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16);
  let at = 0;
  for (const word of wordsOf(address)) {
    bytes[at++] = word >>> 24;
    bytes[at++] = word >>> 16;
    bytes[at++] = word >>> 8;
    bytes[at++] = word;
  }
  return bytes;
}

/** The address in 4 or 16 network-order bytes; undefined for any other length. A mapped address stays IPv6. */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  const { length } = bytes;
  if (length !== 4 && length !== 16) return undefined;
  let value = 0n;
  for (let at = 0; at < length; at += 4) {
    const [first, second] = [bytes[at] ?? 0, bytes[at + 1] ?? 0];
    const word = (first << 24) | (second << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    value = (value << 32n) | BigInt(word >>> 0);
  }
  return { family: length === 4 ? 4 : 6, value };
}

export const sameIp = (a: IpAddress, b: IpAddress): boolean => a.family === b.family && a.value === b.value;

/** 127.0.0.0/8 and ::1. */
export const isLoopback = (address: IpAddress): boolean =>
  address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;

/** 224.0.0.0/4 and ff00::/8. */
export const isMulticast = ({ family, value }: IpAddress): boolean =>
  family === 4 ? value >> 28n === 0xen : value >> 120n === 0xffn;

/** fe80::/10. */
export const isLinkLocal = ({ family, value }: IpAddress): boolean =>
  family === 6 && value >> 118n === 0x3fan;
