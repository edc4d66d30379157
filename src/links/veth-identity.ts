/**
 * Name, MAC and alias by which a host veth shows its attachment (docs/decisions/0003-host-veth-identity.md). Name and MAC
 * are derived from the attachment and are in the message that creates the pair. The alias (see `ip link`) names the
 * attachment and is set by the next message. So a pair is found even if its links were renamed, or if its ADD was killed
 * between the two messages.
 */

import { hash32, hash64, sha256 } from "#engine";
import type { Attachment } from "../cni/attachment.ts";
import type { ValidAttachments } from "../cni/attachments.ts";
import { localMac, type Mac } from "../net/mac.ts";
import { bootId } from "../sys/boot.ts";

/** IFALIASZ of uapi linux/if.h is 256 with the final NUL. */
const ALIAS_MAX = 255;
const PREFIX = "bridgehead:";

/** Number of names that are tried. The chance that a name is taken is one in four thousand million for each host veth. */
export const NAME_ATTEMPTS = 8;

/**
 * `veth` and 8 hex digits (rule B13). Later attempts are used if the first name is taken. Two attachments may have the same
 * name by chance, so compare the alias as well.
 */
export const hostVethName = (attachment: Attachment, attempt = 0): string =>
  // Not a digest, whose first use costs 0.05 ms: the name only has to make a collision unlikely.
  `veth${hash32(path(attachment), attempt).toString(16).padStart(8, "0")}`;

/** All names that ADD may have given the host's end, in the order of attempts. */
export function hostVethNames(attachment: Attachment): string[] {
  const names: string[] = [];
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) names.push(hostVethName(attachment, attempt));
  return names;
}

/**
 * The MAC that proves, until there is an alias, that a host veth of this name was created for this network: no other
 * program sets these 46 bits by chance. It includes the boot, since two machines on one link may have the same names.
 */
export const hostVethMac = (network: string, name: string): Mac =>
  localMac(new Uint8Array(BigUint64Array.of(hash64(`${bootId() ?? ""}/${network}/${name}`)).buffer, 0, 6));

/** "bridgehead:NETWORK/CONTAINER/IFNAME", or digests if that is too long. None of the parts can contain a "/". */
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

/** Returns a function that says whether an alias is of an attachment of this network that is not valid. */
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

/** The attachment that an alias names; undefined for a digest and for any other text. */
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
