/** Whose rules these are, and the names that say so in the rule sets (rules B17, B28, B29). */

/** The attachment that rules belong to. */
export interface Owner {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** First `length` hexadecimal digits of the SHA-512 of `text`. */
const digest = (text: string, length: number): string => Bun.SHA512.hash(text, "hex").slice(0, length);

/** B28: all interfaces of a container in one network share this chain. 28 characters, iptables allows no more. */
export const iptablesChain = ({ network, containerId }: Owner): string =>
  `CNI-${digest(network + containerId, 24)}`;

/** B28: the comment on each rule. Names consist of letters, digits and `_.-`, so that nothing needs escaping. */
export const iptablesComment = ({ network, containerId }: Omit<Owner, "ifname">): string =>
  `name: "${network}" id: "${containerId}"`;

/** Reads what `iptablesComment` wrote; undefined for any other text. */
export function parseIptablesComment(
  comment: string | undefined,
): { network: string; containerId: string } | undefined {
  const [, network, containerId] = /^name: "([^"]*)" id: "([^"]*)"$/.exec(comment ?? "") ?? [];
  return network === undefined || containerId === undefined ? undefined : { network, containerId };
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
const MAX_COMMENT = 128;

/** B29: the comment on each rule of an attachment, for the plugin and for people. */
export const nftablesComment = (owner: Owner): string =>
  shortened(
    `${attachmentMark(owner)}, net: ${owner.network}, if: ${owner.ifname.replaceAll('"', "")}, id: ${owner.containerId}`,
  );

/** B17: chain and comment names carry the container id and the interface name, not the network. */
const spoofCheckId = ({ containerId, ifname }: Omit<Owner, "network">): string => `${containerId}-${ifname}`;

/** B17: the chain that frames of one bridge port go through. */
export const spoofCheckChain = (owner: Omit<Owner, "network">): string =>
  `cni-br-iface-${spoofCheckId(owner)}`;

/** B17: the comment on each rule of a spoof check. */
export const spoofCheckComment = (owner: Omit<Owner, "network">): string =>
  shortened(`macspoofchk-${spoofCheckId(owner)}`);

/** Cuts a text to the bytes that a comment can have, not within a character. */
function shortened(text: string): string {
  const characters = [...text];
  const encoder = new TextEncoder();
  while (encoder.encode(characters.join("")).length > MAX_COMMENT) characters.pop();
  return characters.join("");
}
