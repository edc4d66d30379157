/** Reads structures of the kernel that rules of both x_tables and nf_tables contain. */
import type { Family } from "../net/ip.ts";

/** A text may begin with U+FEFF, which is not a byte order mark here. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text up to the first NUL. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Number of leading ones of a mask; undefined if another one follows a zero. */
export function prefixLength(mask: Uint8Array): number | undefined {
  const text = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(text) ? text.lastIndexOf("1") + 1 : undefined;
}

/**
 * Whether the data of iptables' MASQUERADE has no options, such as a range of ports or random ports. For IPv4 it begins
 * with the number of ranges (struct nf_nat_ipv4_multi_range_compat); for IPv6 it is one range (struct nf_nat_range).
 */
export const isPlainMasquerade = (info: Uint8Array, family: Family): boolean =>
  info.every((byte, index) => byte === (family === 4 && index === 0 ? 1 : 0));
