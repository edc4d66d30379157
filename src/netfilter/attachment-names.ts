/** Names and comments of rules, which say to which attachment a rule belongs (rules B17, B28, B29; docs/names.md). */
import { sha512 } from "#engine";
import type { Attachment } from "../cni/attachment.ts";

type Container = Omit<Attachment, "ifname">;

/** First `length` hexadecimal digits of the SHA-512 of `text`. */
function digest(text: string, length: number): string {
  return sha512(text).slice(0, length);
}

/**
 * B28: the chain of a container in a network, in the 28 characters that iptables allows. The names are joined without a
 * separator, so two containers may share a chain: the chain alone does not identify a rule's attachment.
 */
export function iptablesChain({ network, containerId }: Container): string {
  return `CNI-${digest(network + containerId, 24)}`;
}

/** XT_MAX_COMMENT_LEN of uapi linux/netfilter/xt_comment.h less the NUL. */
const MAX_XT_COMMENT = 255;

/** B28: the comment on each rule, cut where iptables cuts it, so that it is read as it was written. */
export function iptablesComment(container: Container): string {
  return shortened(wholeComment(container), MAX_XT_COMMENT);
}

function wholeComment({ network, containerId }: Container): string {
  return `name: "${network}" id: "${containerId}"`;
}

/** Reads what `iptablesComment` wrote. undefined for any other text. A name that may have been cut is undefined. */
export function parseIptablesComment(
  comment = "",
): { network: string | undefined; containerId: string | undefined } | undefined {
  const parts = comment.split('"');
  const [begin, network, between = "", containerId, end] = parts;
  const words = " id: ";
  if (begin !== "name: " || network === undefined) return undefined;
  if (parts.length === 5 && between === words && end === "") return { network, containerId };
  // Cut off within the network's name, within the fixed words, or within the container's id.
  const isCut = parts.length <= 3 ? words.startsWith(between) : parts.length === 4 && between === words;
  if (comment.length !== MAX_XT_COMMENT || !isCut) return undefined;
  return { network: parts.length === 2 ? undefined : network, containerId: undefined };
}

/**
 * M10: the chain of a container's published ports in a network. Versions of the reference before 1.0 had a second one,
 * "SN". The names are joined as in `iptablesChain`.
 */
export const portChain = ({ network, containerId }: Container, kind: "DN" | "SN" = "DN"): string =>
  `CNI-${kind}-${digest(network + containerId, 21)}`;

/**
 * M13: the most bytes that the reference leaves of a comment that it cuts, and what the kernel has behind them: of the three
 * points that the reference puts there iptables cuts the last one.
 */
const MAX_PORT_COMMENT = 253;
const CUT = "..";

/** M11, M13: the comment on the rules that lead into the chain of published ports. */
export function portComment(container: Container): string {
  const whole = `dnat ${wholeComment(container)}`;
  return whole.length <= MAX_XT_COMMENT ? whole : whole.slice(0, MAX_PORT_COMMENT) + CUT;
}

/** Reads what `portComment` wrote. undefined for any other text. A name that was cut is undefined. */
export function parsePortComment(
  comment = "",
): { network: string | undefined; containerId: string | undefined } | undefined {
  const [, network, containerId] = /^dnat name: "([^"]*)(?:" id: "([^"]*)"$)?/.exec(comment) ?? [];
  if (network === undefined) return undefined;
  if (containerId !== undefined) return { network, containerId };
  if (!comment.endsWith(CUT)) return undefined;
  return { network: comment.includes('" id: "') ? network : undefined, containerId: undefined };
}

/** The comment of a marker rule: the container's comment, or its mark if that is too long, and the interface. */
export function markerComment(attachment: Attachment): string {
  const ending = ` if: "${attachment.ifname}"`;
  const whole = wholeComment(attachment) + ending;
  return encoder.encode(whole).length <= MAX_XT_COMMENT ? whole : attachmentMark(attachment) + ending;
}

/** What the comment of a marker rule says. */
export interface Marker {
  readonly mark: string;
  readonly ifname: string;
}

/** Reads what `markerComment` wrote; undefined for any other text. */
export function parseMarker(comment = ""): Marker | undefined {
  const [, whole, mark, ifname] =
    /^(?:(name: ".*")|([0-9a-f]{16}-[0-9a-f]{16})) if: "(.*)"$/s.exec(comment) ?? [];
  if (ifname === undefined) return undefined;
  const named = mark ?? markBy(whole, ifname);
  return named === undefined ? undefined : { mark: named, ifname };
}

/** The mark of an attachment by a whole comment of B28 and its interface. */
export function markBy(comment: string | undefined, ifname: string): string | undefined {
  const { network, containerId } = parseIptablesComment(comment) ?? {};
  if (network === undefined || containerId === undefined) return undefined;
  return attachmentMark({ network, containerId, ifname });
}

/** Whether a rule with this comment of B28 can belong to a marker's attachment: containers can share an address. */
export function mayBeOf({ mark, ifname }: Marker, comment: string | undefined): boolean {
  const network = parseIptablesComment(comment)?.network;
  return (
    network === undefined ||
    ((markBy(comment, ifname) ?? mark) === mark && mark.startsWith(networkMark(network)))
  );
}

/** Hexadecimal digits of each of the two parts of a mark. */
const DIGEST = 16;
/** Characters of a mark. */
export const MARK_LENGTH = 2 * DIGEST + 1;

/** B29: the beginning of the comments of all rules of a network. */
export function networkMark(network: string): string {
  return `${digest(network, DIGEST)}-`;
}

/** B29: the beginning of the comments of an attachment's rules. */
export function attachmentMark({ network, containerId, ifname }: Attachment): string {
  return networkMark(network) + digest(`${ifname}:${containerId}`, DIGEST);
}

/** The mark that a comment of B29 begins with. */
export function markOf(comment: string): string {
  return comment.slice(0, MARK_LENGTH);
}

/** B29: the comment on each rule of an attachment: the mark for the plugin, the names for people. */
export function nftablesComment(attachment: Attachment, mark = attachmentMark(attachment)): string {
  const { network, containerId, ifname } = attachment;
  const text = `${mark}, net: ${network}, if: ${ifname.replaceAll('"', "")}, id: ${containerId}`;
  // NFTNL_UDATA_COMMENT_MAXLEN: nft shows no longer comment.
  return shortened(text, 128);
}

/** The names of a spoof check. */
export interface SpoofCheckNames {
  /** The chain of the port. */
  readonly chain: string;
  /** The comment on each rule. */
  readonly comment: string;
}

/** The chain to which the port's chain jumps, and which checks the address. */
export function macChain(chain: string): string {
  return `${chain}-mac`;
}

/**
 * B17: the names that an attachment's check may have, in the order of choice. The first are the reference's, unless
 * they are too long for the kernel (there the reference fails). They do not contain the network, and "-" may be part of
 * a name, so container a-b with interface c has the same names as a with b-c. The last are our own names, for a check
 * whose first names are too long or taken. They are unique, since no container id begins with "_".
 */
export function spoofCheckNames(attachment: Attachment): SpoofCheckNames[] {
  const names: SpoofCheckNames[] = [];
  const id = `${attachment.containerId}-${attachment.ifname}`;
  const chain = `cni-br-iface-${id}`;
  // NFT_NAME_MAXLEN of uapi linux/netfilter/nf_tables.h less the NUL.
  if (encoder.encode(macChain(chain)).length <= 255) names.push({ chain, comment: `macspoofchk-${id}` });
  const mark = `_${attachmentMark(attachment)}`;
  names.push({ chain: `cni-br-iface-${mark}`, comment: nftablesComment(attachment, `macspoofchk-${mark}`) });
  return names;
}

const encoder = new TextEncoder();

/** The longest beginning of a text that has at most `bytes` bytes; characters stay whole. */
function shortened(text: string, bytes: number): string {
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(bytes)).read);
}
