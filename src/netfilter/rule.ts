/**
 * A rule as plain data: which packets, and what becomes of them. iptables/ and nftables/ write and read it. What does
 * not fit here is not a rule of this program, or was altered.
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
  /** Where it leads, and the interface that it names: known of any rule. */
  readonly target?: string | undefined;
  readonly input?: string | undefined;
  /** It ends with a counter or a log: whatever it looks at, it decides nothing. */
  readonly watches?: boolean;
  /** nf_tables' number for it; x_tables names a rule by what it says. */
  readonly handle?: bigint;
  /** The mark of its attachment, where the rule tells it. */
  readonly mark?: string | undefined;
  /** nf_tables' comment, which is no part of what the rule does. */
  readonly comment?: string | undefined;
}

/** An address must be this one. */
export function exactly(address: Prefix["address"]): AddressMatch {
  return { prefix: { address, length: bits(address.family) }, inverted: false };
}

/** Multicast, which is never masqueraded: containers may speak it to others of their link. */
export const MULTICAST: Readonly<Record<Family, Prefix>> = {
  4: { address: { family: 4, value: 0xe0000000n }, length: 4 },
  6: { address: { family: 6, value: 0xffn << 120n }, length: 8 },
};

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
  let text = addressText("-s", source) + addressText("-d", destination);
  if (input !== undefined) text += ` -i ${input}`;
  if (sourceSet !== undefined) text += ` -m set --match-set ${sourceSet} src`;
  if (mac !== undefined) text += ` -m mac --mac-source ${formatMac(mac)}`;
  if (comment !== undefined) text += ` -m comment --comment "${comment.replaceAll(/["\\]/g, "\\$&")}"`;
  if (target !== undefined) text += ` ${verdict === "goto" ? "-g" : "-j"} ${target}`;
  else if (verdict !== "continue") text += ` -j ${verdict.toUpperCase()}`;
  return text.slice(1);
}

function addressText(option: string, match: AddressMatch | undefined): string {
  // iptables leaves out what every packet matches.
  if (match === undefined || (match.prefix.length === 0 && !match.inverted)) return "";
  return `${match.inverted ? " !" : ""} ${option} ${formatPrefix(match.prefix)}`;
}

/** Whether a rule that was found is the one that is wanted: the one comparison of ADD, CHECK, DEL and GC. */
export function isSame(found: Rule | undefined, wanted: Rule): boolean {
  return found !== undefined && ruleText(found) === ruleText(wanted);
}

/** Whether it does the same, whatever its comment says. */
export function doesSame(found: Rule | undefined, wanted: Rule): boolean {
  return found !== undefined && isSame({ ...found, comment: wanted.comment }, wanted);
}
