/**
 * A rule as plain data: which packets, and what becomes of them. It says the same in each kernel table; iptables/ and
 * nftables/ write and read it. What does not fit here is not a rule of this program, or was altered.
 */
import { bits, type Family } from "../net/ip.ts";
import { formatMac, type Mac } from "../net/mac.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";

/** A packet's address must be in the prefix, or, inverted, must not. */
export interface AddressMatch {
  readonly prefix: Prefix;
  readonly inverted: boolean;
}

export interface Rule {
  readonly source?: AddressMatch;
  /** Name of the nf_tables set that the source must be in. */
  readonly sourceSet?: string;
  readonly destination?: AddressMatch;
  /** Interface that the packet came in through. */
  readonly input?: string;
  /** Hardware address of the sender. */
  readonly mac?: Mac;
  /** What the comment extension of iptables says. */
  readonly comment?: string | undefined;
  /** "continue" is a rule that only counts. */
  readonly verdict: "accept" | "continue" | "drop" | "goto" | "jump" | "masquerade" | "return";
  /** The chain that jump and goto lead to. */
  readonly target?: string;
}

/** A rule as it stands in a chain. */
export interface FoundRule {
  readonly chain: string;
  /** Undefined when it does what no Rule can say. */
  readonly rule: Rule | undefined;
  /** Known of such a rule as well: where it leads, and the interface that it names. */
  readonly target?: string | undefined;
  readonly input?: string | undefined;
  /** It ends with a counter or a log: whatever it looks at, it decides nothing. */
  readonly watches?: boolean;
  /** nf_tables' number for it; x_tables names a rule by what it says. */
  readonly handle?: bigint;
  /** The mark of the attachment that it was added for; rules of other programs do not say it. */
  readonly mark?: string | undefined;
  /** nf_tables' comment, which is no part of what the rule does. */
  readonly comment?: string | undefined;
}

/** An address must be this one. */
export const exactly = (address: Prefix["address"]): AddressMatch => ({
  prefix: { address, length: bits(address.family) },
  inverted: false,
});

/** An address must be in the network. */
export const within = (prefix: Prefix): AddressMatch => ({ prefix, inverted: false });

/** An address must not be in the network. */
export const outside = (prefix: Prefix): AddressMatch => ({ prefix, inverted: true });

/** Multicast, which is never masqueraded: containers may speak it to others of their link. */
export const MULTICAST: Readonly<Record<Family, Prefix>> = {
  4: { address: { family: 4, value: 0xe0000000n }, length: 4 },
  6: { address: { family: 6, value: 0xffn << 120n }, length: 8 },
};

/** Whether packets of any address match: iptables leaves that out. */
export const matchesAll = ({ prefix, inverted }: AddressMatch): boolean => prefix.length === 0 && !inverted;

/** The specification as iptables-save writes it, behind "-A CHAIN ". Rules that are the same have the same text. */
export function ruleText({
  source,
  destination,
  sourceSet,
  input,
  mac,
  comment,
  verdict,
  target,
}: Rule): string {
  let text = address("-s", source) + address("-d", destination);
  if (input !== undefined) text += ` -i ${input}`;
  if (sourceSet !== undefined) text += ` -m set --match-set ${sourceSet} src`;
  if (mac !== undefined) text += ` -m mac --mac-source ${formatMac(mac)}`;
  if (comment !== undefined) text += ` -m comment --comment "${comment.replaceAll(/["\\]/g, "\\$&")}"`;
  if (target !== undefined) text += ` ${verdict === "goto" ? "-g" : "-j"} ${target}`;
  else if (verdict !== "continue") text += ` -j ${verdict.toUpperCase()}`;
  return text.slice(1);
}

const address = (option: string, match: AddressMatch | undefined): string =>
  match === undefined || matchesAll(match)
    ? ""
    : `${match.inverted ? " !" : ""} ${option} ${formatPrefix(match.prefix)}`;

/** Whether a rule that was found is the one that is wanted: the one comparison of ADD, CHECK, DEL and GC. */
export const isSame = (found: Rule | undefined, wanted: Rule): boolean =>
  found !== undefined && ruleText(found) === ruleText(wanted);

/** Whether it does the same, whatever its comment says. */
export const doesSame = (found: Rule | undefined, wanted: Rule): boolean =>
  found !== undefined && isSame({ ...found, comment: undefined }, { ...wanted, comment: undefined });

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
