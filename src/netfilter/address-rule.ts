/**
 * Rules as people read them: which addresses, and what becomes of the packet. The two masquerade backends write no
 * others, so a rule that does not fit here is not one of theirs, or was altered.
 */
import { bits, type Family } from "../net/ip.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";

/** A packet's address must be in the prefix, or, inverted, must not. */
export interface AddressMatch {
  readonly prefix: Prefix;
  readonly inverted: boolean;
}

/** "continue" is a rule without a target, which only counts. */
export type Action =
  | "accept"
  | "masquerade"
  | "return"
  | "continue"
  | { readonly jump: string }
  | { readonly goto: string };

export interface AddressRule {
  readonly source?: AddressMatch;
  /** Name of the nf_tables set that the source must be in. */
  readonly sourceSet?: string;
  readonly destination?: AddressMatch;
  /** What the comment extension of iptables says. */
  readonly comment?: string;
  readonly action: Action;
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

/** The rule's specification as iptables-save writes it, behind "-A CHAIN ". Equal rules have equal texts. */
export function iptablesText(rule: AddressRule): string {
  const words: string[] = [];
  for (const [option, match] of [
    ["-s", rule.source],
    ["-d", rule.destination],
  ] as const) {
    // iptables leaves out what every packet matches.
    if (match === undefined || (match.prefix.length === 0 && !match.inverted)) continue;
    if (match.inverted) words.push("!");
    words.push(option, formatPrefix(match.prefix));
  }
  if (rule.comment !== undefined) words.push("-m comment --comment", quoted(rule.comment));
  if (rule.action === "accept" || rule.action === "masquerade" || rule.action === "return") {
    words.push("-j", rule.action.toUpperCase());
  } else if (rule.action !== "continue") {
    words.push(...("jump" in rule.action ? ["-j", rule.action.jump] : ["-g", rule.action.goto]));
  }
  return words.join(" ");
}

const quoted = (text: string): string =>
  `"${text.includes('"') || text.includes("\\") ? text.replaceAll(/["\\]/g, "\\$&") : text}"`;
