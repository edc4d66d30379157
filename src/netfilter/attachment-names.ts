/** Whose rules these are, and the names that say so in the rule sets (rules B17, B28, B29). */
import { sha512 } from "#engine";
import type { Attachment } from "../cni/attachment.ts";

/** First `length` hexadecimal digits of the SHA-512 of `text`. */
const digest = (text: string, length: number): string => sha512(text).slice(0, length);

/**
 * B28: all interfaces of a container in one network share this chain. 28 characters, iptables allows no more. The names
 * are joined without a separator, so that two containers may share one as well: the name alone says nothing of a rule's
 * attachment.
 */
export const iptablesChain = ({ network, containerId }: Omit<Attachment, "ifname">): string =>
  `CNI-${digest(network + containerId, 24)}`;

/** Bytes of text in a comment of x_tables: XT_MAX_COMMENT_LEN of uapi linux/netfilter/xt_comment.h less the NUL. */
const MAX_XT_COMMENT = 255;

const wholeIptablesComment = ({ network, containerId }: Omit<Attachment, "ifname">): string =>
  `name: "${network}" id: "${containerId}"`;

/**
 * B28: the comment on each rule, cut where iptables cuts it, so that what is read is what was written. Names consist of
 * letters, digits and `_.-`, so that nothing needs escaping.
 */
export const iptablesComment = (container: Omit<Attachment, "ifname">): string =>
  shortened(wholeIptablesComment(container), MAX_XT_COMMENT);

/** What a comment of B28 says. What was cut off, or ends where it was cut, is undefined. */
export interface IptablesComment {
  readonly network: string | undefined;
  readonly containerId: string | undefined;
}

/** Reads what `iptablesComment` wrote; undefined for any other text. */
export function parseIptablesComment(comment = ""): IptablesComment | undefined {
  const parts = comment.split('"');
  const [begin, network, between = "", containerId, end] = parts;
  if (begin !== "name: " || network === undefined) return undefined;
  if (parts.length === 5 && between === BETWEEN && end === "") return { network, containerId };
  // Cut off within the network's name, within the fixed words, or within the container's id.
  const isCut = parts.length <= 3 ? BETWEEN.startsWith(between) : parts.length === 4 && between === BETWEEN;
  if (comment.length !== MAX_XT_COMMENT || !isCut) return undefined;
  return { network: parts.length === 2 ? undefined : network, containerId: undefined };
}

/** What stands between the quoted names. */
const BETWEEN = " id: ";

/**
 * The comment of a note, which says the interface as well. Its own form where that is too long: no one but us reads
 * notes.
 */
export function noteComment(attachment: Attachment): string {
  const ending = ` if: "${attachment.ifname}"`;
  const whole = wholeIptablesComment(attachment) + ending;
  return byteLength(whole) <= MAX_XT_COMMENT ? whole : attachmentMark(attachment) + ending;
}

/** What a note says. */
export interface Note {
  readonly mark: string;
  readonly ifname: string;
}

/** Reads what `noteComment` wrote; undefined for any other text. */
export function parseNote(comment = ""): Note | undefined {
  const [, whole, mark, ifname] =
    /^(?:(name: ".*")|([0-9a-f]{16}-[0-9a-f]{16})) if: "(.*)"$/s.exec(comment) ?? [];
  if (ifname === undefined) return undefined;
  if (mark !== undefined) return { mark, ifname };
  const { network, containerId } = parseIptablesComment(whole) ?? {};
  if (network === undefined || containerId === undefined) return undefined;
  return { mark: attachmentMark({ network, containerId, ifname }), ifname };
}

/**
 * Whether a rule with this comment of B28 can be the attachment's that a note names: two containers of a chain may have
 * one address.
 */
export function mayBeOf({ mark, ifname }: Note, comment: string | undefined): boolean {
  const { network, containerId } = parseIptablesComment(comment) ?? {};
  if (network === undefined) return true;
  return containerId === undefined
    ? mark.startsWith(networkMark(network))
    : mark === attachmentMark({ network, containerId, ifname });
}

/** B29: hexadecimal digits of the network's part of a mark, and of the attachment's. */
const DIGEST = 16;

/** B29: what the comments of all rules of a network begin with. */
export const networkMark = (network: string): string => `${digest(network, DIGEST)}-`;

/** B29: what the comments of an attachment's rules begin with. */
export const attachmentMark = ({ network, containerId, ifname }: Attachment): string =>
  networkMark(network) + digest(`${ifname}:${containerId}`, DIGEST);

/** The mark that a comment of an attachment's rule begins with. */
export const markOf = (comment: string): string => comment.slice(0, 2 * DIGEST + 1);

/** What nft shows of a comment, in bytes. */
const MAX_NFT_COMMENT = 128;

/** B29: the comment on each rule of an attachment, for the plugin and for people. */
export const nftablesComment = (attachment: Attachment): string =>
  described(attachmentMark(attachment), attachment);

/** A comment that begins with a mark, for the plugin, and says in words what for, for people. */
const described = (mark: string, { network, containerId, ifname }: Attachment): string =>
  shortened(
    `${mark}, net: ${network}, if: ${ifname.replaceAll('"', "")}, id: ${containerId}`,
    MAX_NFT_COMMENT,
  );

/** What a check of MAC addresses is called. */
export interface SpoofCheckNames {
  /** The chain of the port; the chain that looks at the address has the same name and `-mac`. */
  readonly chain: string;
  /** The comment on each rule. */
  readonly comment: string;
}

/** Bytes of a chain's name: NFT_NAME_MAXLEN of uapi linux/netfilter/nf_tables.h less the NUL. */
const MAX_CHAIN = 255;

/** The chain behind the port's, which looks at the address. */
export const macChain = (chain: string): string => `${chain}-mac`;

/**
 * B17: the names that an attachment's check may have, in the order of choice. First the reference's, but where they are
 * longer than the kernel takes (there the reference fails): they carry neither the network nor a separator that is in no
 * name, so that a-b with c has those of a with b-c. Last names of our own, for where those are too long or taken: no
 * container's id begins with "_".
 */
export function spoofCheckNames(attachment: Attachment): SpoofCheckNames[] {
  const names: SpoofCheckNames[] = [];
  const id = `${attachment.containerId}-${attachment.ifname}`;
  const chain = `cni-br-iface-${id}`;
  if (byteLength(macChain(chain)) <= MAX_CHAIN) names.push({ chain, comment: `macspoofchk-${id}` });
  const mark = `_${attachmentMark(attachment)}`;
  names.push({ chain: `cni-br-iface-${mark}`, comment: described(`macspoofchk-${mark}`, attachment) });
  return names;
}

const encoder = new TextEncoder();

const byteLength = (text: string): number => encoder.encode(text).length;

/** The beginning of a text that has at most so many bytes, without half a character at its end. */
const shortened = (text: string, bytes: number): string =>
  text.slice(0, encoder.encodeInto(text, new Uint8Array(bytes)).read);
