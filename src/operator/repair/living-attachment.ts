/**
 * Proves that an attachment of libcni's cache is the one that its namespace has now: the path of a namespace is used again, and
 * rules for a dead container would lead to the next one that gets its address.
 */
import { CniError } from "../../cni/error.ts";
import type { Interface, Result } from "../../cni/result.ts";
import { prefixesOf } from "../../links/gateway.ts";
import { findLink, type PresentLink } from "../../links/link.ts";
import { connectInside } from "../../links/namespaces.ts";
import { attachmentAlias, isAttachmentAlias } from "../../links/veth-identity.ts";
import { formatMac } from "../../net/mac.ts";
import { formatPrefix, includesPrefix } from "../../net/prefix.ts";
import { SystemError } from "../../sys/errno.ts";
import { Netns, NoNamespaceError } from "../../sys/netns.ts";
import type { FoundAttachment, HostLink } from "../attachments.ts";

/** What is there of a living attachment. */
export interface LivingParts {
  /** The host's end of its veth pair; undefined if its interface is not one. */
  readonly hostEnd: HostLink | undefined;
  /** The MAC address that ADD reported for the container's interface, or else its present one. */
  readonly mac: string;
}

/**
 * The parts of the attachment, or why it is not taken for alive, as the end of a sentence.
 * @param result the result of its ADD
 * @param links all links of the host
 */
export function livingParts(
  found: FoundAttachment,
  result: Result,
  links: readonly HostLink[],
): LivingParts | string {
  const { netns, cached, ifname } = found;
  if (netns === undefined)
    return cached?.netns === undefined
      ? "no namespace of it is known"
      : `its namespace ${cached.netns} is gone`;
  try {
    using inside = Netns.open(netns.path);
    using container = connectInside(inside);
    const link = findLink(container, ifname);
    if (link === undefined) return `its namespace ${netns.path} has no interface ${ifname}`;
    const reported = result.interfaces.find(({ name, sandbox }) => name === ifname && Boolean(sandbox));
    const mac = formatMac(link.mac ?? new Uint8Array());
    if (reported?.mac !== undefined && reported.mac.toLowerCase() !== mac)
      return `interface ${ifname} in ${netns.path} has MAC address ${mac}, and ADD reported ${reported.mac}`;
    const present = prefixesOf(container, link);
    for (const { address, interface: index } of result.ips)
      if ((index === undefined || result.interfaces[index] === reported) && !includesPrefix(present, address))
        return `interface ${ifname} in ${netns.path} does not have its address ${formatPrefix(address)}`;
    const hostEnd = hostEndOf(link, links, netns.netnsId);
    const problem = hostEndProblem(found, hostEnd, result.interfaces);
    return problem ?? { hostEnd, mac };
  } catch (error) {
    if (error instanceof NoNamespaceError || error instanceof SystemError || error instanceof CniError)
      return `its namespace ${netns.path} cannot be looked into: ${error.message}`;
    throw error;
  }
}

const hostEndOf = (
  { index, peerIndex }: PresentLink,
  links: readonly HostLink[],
  netnsId: number | undefined,
): HostLink | undefined =>
  links.find(
    (link) =>
      link.kind === "veth" &&
      link.index === peerIndex &&
      link.peerIndex === index &&
      netnsId !== undefined &&
      link.linkNetnsId === netnsId,
  );

/** The reference gives its host ends no alias, but names that are not used again. */
function hostEndProblem(
  found: FoundAttachment,
  hostEnd: HostLink | undefined,
  interfaces: readonly Interface[],
): string | undefined {
  const reported = interfaces.filter(({ sandbox }) => !sandbox).map(({ name }) => name);
  if (hostEnd === undefined)
    // The bridge alone is reported by plugins that make no pair.
    return reported.length > 1 ? `the host's end of its interface is gone` : undefined;
  const { name, alias } = hostEnd;
  if (isAttachmentAlias(alias))
    return alias === attachmentAlias(found) ? undefined : `its interface belongs to another attachment`;
  return reported.length === 0 || reported.includes(name)
    ? undefined
    : `the host's end of its interface is ${name}, which ADD did not report`;
}
