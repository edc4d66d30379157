/** Whose rules these are, and the names that say so in the rule sets (rules B17, B28, B29). */

/** The attachment that rules belong to. */
export interface Owner {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** First `length` hexadecimal digits of the SHA-512 of `text`. */
const digest = (text: string, length: number): string => Bun.SHA512.hash(text, "hex").slice(0, length);

/**
 * B28: all interfaces of a container in one network share this chain. 28 characters, iptables allows no more. The names
 * are joined without a separator, so that two containers may share one as well: the name alone says nothing of a rule's
 * owner.
 */
export const iptablesChain = ({ network, containerId }: Omit<Owner, "ifname">): string =>
  `CNI-${digest(network + containerId, 24)}`;

/** Bytes of text in a comment of x_tables: XT_MAX_COMMENT_LEN of uapi linux/netfilter/xt_comment.h less the NUL. */
const MAX_XT_COMMENT = 255;

const wholeIptablesComment = ({ network, containerId }: Omit<Owner, "ifname">): string =>
  `name: "${network}" id: "${containerId}"`;

/**
 * B28: the comment on each rule, cut where iptables cuts it, so that what is read is what was written. Names consist of
 * letters, digits and `_.-`, so that nothing needs escaping.
 */
export const iptablesComment = (container: Omit<Owner, "ifname">): string =>
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
export function noteComment(owner: Owner): string {
  const ending = ` if: "${owner.ifname}"`;
  const whole = wholeIptablesComment(owner) + ending;
  return byteLength(whole) <= MAX_XT_COMMENT ? whole : attachmentMark(owner) + ending;
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
export const attachmentMark = ({ network, containerId, ifname }: Owner): string =>
  networkMark(network) + digest(`${ifname}:${containerId}`, DIGEST);

/** The mark that a comment of an attachment's rule begins with. */
export const markOf = (comment: string): string => comment.slice(0, 2 * DIGEST + 1);

/** What nft shows of a comment, in bytes. */
const MAX_NFT_COMMENT = 128;

/** B29: the comment on each rule of an attachment, for the plugin and for people. */
export const nftablesComment = (owner: Owner): string =>
  shortened(
    `${attachmentMark(owner)}, net: ${owner.network}, if: ${owner.ifname.replaceAll('"', "")}, id: ${owner.containerId}`,
    MAX_NFT_COMMENT,
  );

/** B17: chain and comment names carry the container id and the interface name, not the network. */
const spoofCheckId = ({ containerId, ifname }: Omit<Owner, "network">): string => `${containerId}-${ifname}`;

/** B17: the chain that frames of one bridge port go through. */
export const spoofCheckChain = (owner: Omit<Owner, "network">): string =>
  `cni-br-iface-${spoofCheckId(owner)}`;

/** B17: the comment on each rule of a spoof check. */
export const spoofCheckComment = (owner: Omit<Owner, "network">): string =>
  shortened(`macspoofchk-${spoofCheckId(owner)}`, MAX_NFT_COMMENT);

const encoder = new TextEncoder();

const byteLength = (text: string): number => encoder.encode(text).length;

/** The beginning of a text that has at most so many bytes, without half a character at its end. */
const shortened = (text: string, bytes: number): string =>
  text.slice(0, encoder.encodeInto(text, new Uint8Array(bytes)).read);
