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

/** Offsets in struct xt_conntrack_mtinfo3, which iptables pads to this length. */
const CONNTRACK = { matched: 146, states: 150, length: 168 } as const;
/** XT_CONNTRACK_STATE. */
const STATE = 1;

/** The revision of the match `conntrack` that every iptables since 1.4.4 writes. */
export const CONNTRACK_REVISION = 3;

/** The data of the match `conntrack` for `--ctstate`. */
export function conntrackStates(states: number): Uint8Array {
  const info = new Uint8Array(CONNTRACK.length);
  info[CONNTRACK.matched] = STATE;
  info[CONNTRACK.states] = states;
  info[CONNTRACK.states + 1] = states >> 8;
  return info;
}

/** The states that such data matches; undefined if it matches anything else, or if it is inverted. */
export function statesIn(info: Uint8Array): number | undefined {
  const states = (info[CONNTRACK.states] ?? 0) | ((info[CONNTRACK.states + 1] ?? 0) << 8);
  const plain = conntrackStates(states);
  // The kernel may return the structure without its padding.
  for (let at = 0; at < info.length; at++) if (info[at] !== (plain[at] ?? 0)) return undefined;
  return states === 0 ? undefined : states;
}
