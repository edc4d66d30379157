/**
 * How a host veth shows which attachment it belongs to (docs/decisions/0003-host-veth-identity.md). Its name and its
 * MAC follow from the attachment and are in the message that creates it; its alias (`ip link` shows it) names the
 * attachment and comes with the next message. So a pair is found whatever its links are called, and a pair whose ADD
 * was killed between the two messages is found as well.
 */

import { hash32, hash64, sha256 } from "#engine";
import type { Attachment } from "../cni/attachment.ts";
import type { ValidAttachments } from "../cni/attachments.ts";
import { localMac, type Mac } from "../net/mac.ts";
import { bootId } from "../sys/boot.ts";

/** IFALIASZ of uapi linux/if.h is 256 with the final NUL. */
const ALIAS_MAX = 255;
const PREFIX = "bridgehead:";

/** A free name is found at once but for a chance in four thousand million; so many names are tried. */
export const NAME_ATTEMPTS = 8;

/**
 * `veth` and 8 hex digits (rule B13); later attempts are for when the first name is taken. Two attachments may share
 * one by chance: compare the alias as well.
 */
export const hostVethName = (attachment: Attachment, attempt = 0): string =>
  // Not a digest: the first one of a process costs 0.05 ms, and chance is all that this has to keep apart.
  `veth${hash32(path(attachment), attempt).toString(16).padStart(8, "0")}`;

/** All names that the host's end can have been created with, in the order of trial. */
export function hostVethNames(attachment: Attachment): string[] {
  const names: string[] = [];
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) names.push(hostVethName(attachment, attempt));
  return names;
}

/**
 * The MAC that proves, as long as there is no alias, that a host veth of this name was made for this network: 46 bits
 * that no other program gives by chance. The boot is in it since two machines may have the same names on one wire.
 */
export const hostVethMac = (network: string, name: string): Mac =>
  localMac(new Uint8Array(BigUint64Array.of(hash64(`${bootId() ?? ""}/${network}/${name}`)).buffer, 0, 6));

/** "bridgehead:NETWORK/CONTAINER/IFNAME", with digests where that does not fit. None of the parts can hold a "/". */
export function attachmentAlias(attachment: Attachment): string {
  const alias = `${PREFIX}${path(attachment)}`;
  if (new TextEncoder().encode(alias).length <= ALIAS_MAX) return alias;
  return `${longNetworkPrefix(attachment.network)}${digest(path(attachment), 32)}`;
}

/** Whether an alias names an attachment, of any network. */
export const isAttachmentAlias = (alias: string | undefined): boolean => alias?.startsWith(PREFIX) ?? false;

/** Whether an alias is one of ours for an attachment of this network. */
export const isAliasOf = (alias: string, network: string): boolean =>
  alias.startsWith(`${PREFIX}${network}/`) || alias.startsWith(longNetworkPrefix(network));

/** Tells which aliases are of attachments of this network that are not valid. */
export function staleAliases(network: string, valid: ValidAttachments): (alias: string) => boolean {
  const [short, long] = [`${PREFIX}${network}/`, longNetworkPrefix(network)];
  let digests: Set<string> | undefined;
  return (alias) => {
    if (alias.startsWith(short)) {
      const [containerId = "", ifname = ""] = alias.slice(short.length).split("/");
      return !valid.has({ containerId, ifname });
    }
    if (!alias.startsWith(long)) return false;
    digests ??= new Set(
      Iterator.from(valid).map((attachment) => attachmentAlias({ network, ...attachment })),
    );
    return !digests.has(alias);
  };
}

/** The attachment that an alias names in full; undefined for any other text, and for a digest. */
export function parseAttachmentAlias(alias: string): Attachment | undefined {
  if (!isAttachmentAlias(alias)) return undefined;
  const [network = "", containerId, ifname, more] = alias.slice(PREFIX.length).split("/");
  if (containerId === undefined || ifname === undefined || more !== undefined) return undefined;
  return { network, containerId, ifname };
}

const path = (attachment: Attachment): string =>
  `${attachment.network}/${attachment.containerId}/${attachment.ifname}`;

/** "#" can't begin a network's name (rule A10). */
const longNetworkPrefix = (network: string): string => `${PREFIX}#${digest(network, 32)}/`;

const digest = (text: string, length: number): string => sha256(text).slice(0, length);
