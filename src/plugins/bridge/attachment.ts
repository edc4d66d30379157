/**
 * How a host veth shows whose it is. Its name follows from the owner, so that DEL finds it when the container's end
 * can't be reached; its alias (`ip link` shows it) names the owner, so that GC can prove one stale. Only links with
 * our alias are ever taken for ours.
 */

import type { ValidAttachments } from "../../cni/attachments.ts";
import { randomBytes } from "../../sys/random.ts";

/** One attachment: what the protocol identifies an interface of a container by. */
export interface Owner {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** IFALIASZ of uapi linux/if.h is 256 with the final NUL. */
const ALIAS_MAX = 255;
const PREFIX = "bridgehead:";

/** `veth` and 8 hex digits (rule B13). Two owners may share one by chance: compare the alias as well. */
export const hostVethName = (owner: Owner): string =>
  // Not a digest: the first one of a process costs 0.05 ms, and chance is all that this has to keep apart.
  `veth${Bun.hash.xxHash32(path(owner)).toString(16).padStart(8, "0")}`;

/** A random name for when the owner's is taken. */
export const randomVethName = (): string => `veth${randomBytes(4).toHex()}`;

/** "bridgehead:NETWORK/CONTAINER/IFNAME", with digests where that does not fit. None of the parts can hold a "/". */
export function ownerAlias(owner: Owner): string {
  const alias = `${PREFIX}${path(owner)}`;
  if (new TextEncoder().encode(alias).length <= ALIAS_MAX) return alias;
  return `${longNetworkPrefix(owner.network)}${digest(path(owner), 32)}`;
}

/** Whether an alias is one of ours, whatever the network. */
export const isOwnAlias = (alias: string | undefined): boolean => alias?.startsWith(PREFIX) ?? false;

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
    digests ??= new Set(Iterator.from(valid).map((attachment) => ownerAlias({ network, ...attachment })));
    return !digests.has(alias);
  };
}

const path = (owner: Owner): string => `${owner.network}/${owner.containerId}/${owner.ifname}`;

/** "#" can't begin a network's name (rule A10). */
const longNetworkPrefix = (network: string): string => `${PREFIX}#${digest(network, 32)}/`;

const digest = (text: string, length: number): string =>
  new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, length);
