/** Structures of the kernel that rules of x_tables and of nf_tables hold alike. */
import type { Family } from "../net/ip.ts";

/** A text may begin with U+FEFF, which is not a byte order mark there. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text up to the first NUL. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Number of leading ones of a mask, if only zeros follow. */
export function prefixLength(mask: Uint8Array): number | undefined {
  const text = Array.from(mask, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(text) ? text.lastIndexOf("1") + 1 : undefined;
}

/**
 * Whether the data of iptables' MASQUERADE asks for nothing special: no range of ports, no random ones. IPv4's
 * (struct nf_nat_ipv4_multi_range_compat) begins with the number of ranges, IPv6's (struct nf_nat_range) is one range.
 */
export const isPlainMasquerade = (info: Uint8Array, family: Family): boolean =>
  info.every((byte, index) => byte === (family === 4 && index === 0 ? 1 : 0));
