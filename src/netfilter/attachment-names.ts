/** The names by which the rule sets say whose a rule is (rules B17, B28, B29; docs/names.md). */
import { sha512 } from "#engine";
import type { Attachment } from "../cni/attachment.ts";

type Container = Omit<Attachment, "ifname">;

/** First `length` hexadecimal digits of the SHA-512 of `text`. */
function digest(text: string, length: number): string {
  return sha512(text).slice(0, length);
}

/**
 * B28: the chain of a container in a network, in 28 characters, for iptables allows no more. The names are joined without
 * a separator, so that two containers may share one: the chain alone says nothing of a rule's attachment.
 */
export function iptablesChain({ network, containerId }: Container): string {
  return `CNI-${digest(network + containerId, 24)}`;
}

/** XT_MAX_COMMENT_LEN of uapi linux/netfilter/xt_comment.h less the NUL. */
const MAX_XT_COMMENT = 255;

/** B28: the comment on each rule, cut where iptables cuts it, so that what is read is what was written. */
export function iptablesComment(container: Container): string {
  return shortened(wholeComment(container), MAX_XT_COMMENT);
}

function wholeComment({ network, containerId }: Container): string {
  return `name: "${network}" id: "${containerId}"`;
}

/** Reads what `iptablesComment` wrote; undefined for any other text, and for a name that may have been cut. */
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

/** The comment of a note, which says the interface as well; with the mark where the names are too long. */
export function noteComment(attachment: Attachment): string {
  const ending = ` if: "${attachment.ifname}"`;
  const whole = wholeComment(attachment) + ending;
  return encoder.encode(whole).length <= MAX_XT_COMMENT ? whole : attachmentMark(attachment) + ending;
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
  const named = mark ?? markBy(whole, ifname);
  return named === undefined ? undefined : { mark: named, ifname };
}

/** The mark of an attachment by a whole comment of B28 and its interface. */
export function markBy(comment: string | undefined, ifname: string): string | undefined {
  const { network, containerId } = parseIptablesComment(comment) ?? {};
  if (network === undefined || containerId === undefined) return undefined;
  return attachmentMark({ network, containerId, ifname });
}

/** Whether a rule with this comment of B28 can be of a note's attachment: two containers of a chain may have one address. */
export function mayBeOf({ mark, ifname }: Note, comment: string | undefined): boolean {
  const network = parseIptablesComment(comment)?.network;
  return (
    network === undefined ||
    ((markBy(comment, ifname) ?? mark) === mark && mark.startsWith(networkMark(network)))
  );
}

/** Hexadecimal digits of each of the two parts of a mark. */
const DIGEST = 16;

/** B29: what the comments of all rules of a network begin with. */
export function networkMark(network: string): string {
  return `${digest(network, DIGEST)}-`;
}

/** B29: what the comments of an attachment's rules begin with. */
export function attachmentMark({ network, containerId, ifname }: Attachment): string {
  return networkMark(network) + digest(`${ifname}:${containerId}`, DIGEST);
}

/** The mark that a comment of B29 begins with. */
export function markOf(comment: string): string {
  return comment.slice(0, 2 * DIGEST + 1);
}

/** B29: the comment on each rule of an attachment: the mark for the plugin, the names for people. */
export function nftablesComment(attachment: Attachment, mark = attachmentMark(attachment)): string {
  const { network, containerId, ifname } = attachment;
  const text = `${mark}, net: ${network}, if: ${ifname.replaceAll('"', "")}, id: ${containerId}`;
  // NFTNL_UDATA_COMMENT_MAXLEN: what nft shows.
  return shortened(text, 128);
}

/** What a check of MAC addresses is called. */
export interface SpoofCheckNames {
  /** The chain of the port. */
  readonly chain: string;
  /** The comment on each rule. */
  readonly comment: string;
}

/** The chain behind the port's, which looks at the address. */
export function macChain(chain: string): string {
  return `${chain}-mac`;
}

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
  // NFT_NAME_MAXLEN of uapi linux/netfilter/nf_tables.h less the NUL.
  if (encoder.encode(macChain(chain)).length <= 255) names.push({ chain, comment: `macspoofchk-${id}` });
  const mark = `_${attachmentMark(attachment)}`;
  names.push({ chain: `cni-br-iface-${mark}`, comment: nftablesComment(attachment, `macspoofchk-${mark}`) });
  return names;
}

const encoder = new TextEncoder();

/** The beginning of a text that has at most so many bytes, without half a character at its end. */
function shortened(text: string, bytes: number): string {
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(bytes)).read);
}
