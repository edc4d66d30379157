/**
 * A rule as plain data: which packets it matches and what it does with them. iptables/ and nftables/ write and read it.
 * A rule that does not fit this form is another program's, or was altered.
 */
import { bits, type Family, formatIp, type IpAddress } from "../net/ip.ts";
import { formatMac, type Mac } from "../net/mac.ts";
import { formatPrefix, type Prefix } from "../net/prefix.ts";

/** Matches an address inside the prefix, or outside of it if inverted. */
export interface AddressMatch {
  readonly prefix: Prefix;
  readonly inverted: boolean;
}

/** Matches an interface's name, or any other name if inverted. */
export interface InterfaceMatch {
  readonly name: string;
  readonly inverted: boolean;
}

/** The words of iptables' --ctstate in its order, and their bits (uapi linux/netfilter/xt_conntrack.h). */
const STATES = [
  ["INVALID", 1],
  ["NEW", 8],
  ["RELATED", 4],
  ["ESTABLISHED", 2],
  ["UNTRACKED", 256],
  ["SNAT", 64],
  ["DNAT", 128],
] as const;

/** States of connections that a rule matches, as bits of STATES: those of an answer, and of a changed destination. */
export const connectionState = { answer: 6, dnat: 128 } as const;

/** Protocols that have ports, by IPPROTO_* of uapi linux/in.h. */
export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
export type Protocol = keyof typeof PROTOCOLS;

/** An address with a port. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

export interface Rule {
  readonly source?: AddressMatch;
  /** Name of the nf_tables set that the source must be in. */
  readonly sourceSet?: string;
  readonly destination?: AddressMatch;
  /** Interface that received the packet. */
  readonly input?: string;
  /** Interface that will send it. */
  readonly output?: InterfaceMatch;
  readonly protocol?: Protocol;
  /** States of the packet's connection, one of which it must have: bits as in `connectionState`. */
  readonly states?: number;
  /** Hardware address of the sender. */
  readonly mac?: Mac;
  /** Text of iptables' comment extension. */
  readonly comment?: string | undefined;
  /** The destination is an address of this host. */
  readonly isLocal?: true;
  /** Bits of the packet mark, all of which must be set. */
  readonly packetMark?: number;
  /** The destination port is one of these, at most 15. */
  readonly ports?: readonly number[];
  /** The destination port. */
  readonly port?: number;
  /** A rule with "continue" only counts packets. */
  readonly verdict:
    | "accept"
    | "continue"
    | "dnat"
    | "drop"
    | "goto"
    | "jump"
    | "mark"
    | "masquerade"
    | "return";
  /** The chain that jump and goto lead to. */
  readonly target?: string;
  /** Where dnat leads to. */
  readonly to?: Endpoint;
  /** The bits of the packet mark that mark sets. */
  readonly setMark?: number;
}

/** A rule that was found in a chain. */
export interface FoundRule {
  readonly chain: string;
  /** Undefined if it does something that a Rule cannot express. */
  readonly rule: Rule | undefined;
  /** What of it could be read, also if it does more. */
  readonly part?: Rule;
  /** The chain that it leads to, and the interface that it names: known for any rule. */
  readonly target?: string | undefined;
  readonly input?: string | undefined;
  /** It ends with a counter or a log, and so does nothing with the packet. */
  readonly watches?: boolean;
  /** nf_tables' number of the rule; x_tables has none. */
  readonly handle?: bigint;
  /** The mark of its attachment, if the rule has one. */
  readonly mark?: string | undefined;
  /** The bridge of its attachment, as firewall/ records it. */
  readonly ingress?: string | undefined;
  /** False if it surely matches no UDP: known without decoding the rule. */
  readonly mayBeUdp?: boolean;
  /** nf_tables' comment, which is stored beside the expressions. */
  readonly comment?: string | undefined;
}

/** Matches only this address. */
export function exactly(address: Prefix["address"]): AddressMatch {
  return { prefix: { address, length: bits(address.family) }, inverted: false };
}

/** Multicast, which is never masqueraded: containers may send it to others on their link. */
export const MULTICAST: Readonly<Record<Family, Prefix>> = {
  4: { address: { family: 4, value: 0xe0000000n }, length: 4 },
  6: { address: { family: 6, value: 0xffn << 120n }, length: 8 },
};

/** An address with its port: 10.1.2.3:80, [fd00::3]:80. */
export const formatEndpoint = ({ address, port }: Endpoint): string =>
  `${address.family === 4 ? formatIp(address) : `[${formatIp(address)}]`}:${port}`;

/** The rule as iptables-save writes it after "-A CHAIN ". Equal rules have equal texts. */
export function ruleText(rule: Rule): string {
  const { source, destination, sourceSet, input, output, protocol, states, mac, comment, verdict, target } =
    rule;
  let text = addressText("-s", source) + addressText("-d", destination);
  if (input !== undefined) text += ` -i ${input}`;
  if (output !== undefined) text += `${output.inverted ? " !" : ""} -o ${output.name}`;
  if (protocol !== undefined) text += ` -p ${protocol}`;
  if (sourceSet !== undefined) text += ` -m set --match-set ${sourceSet} src`;
  if (mac !== undefined) text += ` -m mac --mac-source ${formatMac(mac)}`;
  if (states !== undefined) text += ` -m conntrack --ctstate ${statesText(states)}`;
  if (comment !== undefined) text += ` -m comment --comment "${comment.replaceAll(/["\\]/g, "\\$&")}"`;
  if (rule.isLocal) text += " -m addrtype --dst-type LOCAL";
  if (rule.packetMark !== undefined) text += ` -m mark --mark ${twice(rule.packetMark)}`;
  if (rule.ports !== undefined) text += ` -m multiport --dports ${rule.ports.join(",")}`;
  if (rule.port !== undefined) text += ` -m ${protocol} --dport ${rule.port}`;
  if (target !== undefined) text += ` ${verdict === "goto" ? "-g" : "-j"} ${target}`;
  else if (verdict !== "continue") text += ` -j ${verdict.toUpperCase()}`;
  if (rule.to !== undefined) text += ` --to-destination ${formatEndpoint(rule.to)}`;
  if (rule.setMark !== undefined) text += ` --set-xmark ${twice(rule.setMark)}`;
  return text.slice(1);
}

/** A packet mark and the same as its mask. */
const twice = (mark: number): string => `0x${mark.toString(16)}/0x${mark.toString(16)}`;

function statesText(states: number): string {
  const words: string[] = [];
  for (const [word, bit] of STATES) if ((states & bit) !== 0) words.push(word);
  return words.join(",");
}

function addressText(option: string, match: AddressMatch | undefined): string {
  // iptables omits a prefix that every packet matches.
  if (match === undefined || (match.prefix.length === 0 && !match.inverted)) return "";
  return `${match.inverted ? " !" : ""} ${option} ${formatPrefix(match.prefix)}`;
}

/** Whether a rule that was found equals the wanted one. ADD, CHECK, DEL and GC all compare so. */
export function isSame(found: Rule | undefined, wanted: Rule): boolean {
  return found !== undefined && ruleText(found) === ruleText(wanted);
}

/** The same without the comment. */
export function doesSame(found: Rule | undefined, wanted: Rule): boolean {
  return found !== undefined && isSame({ ...found, comment: wanted.comment }, wanted);
}
