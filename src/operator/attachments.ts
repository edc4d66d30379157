/**
 * Joins all that this host knows of its attachments into one list: leases, host ends of veths, libcni's cache, bound
 * namespaces, and rules. It works on what the plugins of the reference made as well, and needs neither a daemon nor a runtime.
 */
import type { Attachment } from "../cni/attachment.ts";
import { attachmentAlias, isAttachmentAlias, parseAttachmentAlias } from "../links/veth-identity.ts";
import { formatIp } from "../net/ip.ts";
import { formatMac } from "../net/mac.ts";
import { attachmentMark, spoofCheckNames } from "../netfilter/attachment-names.ts";
import { openNftables } from "../netfilter/kernel.ts";
import type { Connection } from "../netlink/connection.ts";
import { connect, protocol } from "../netlink/index.ts";
import { decodeLink, dumpLinks, type Link } from "../netlink/rtnetlink/link.ts";
import type { CachedAttachment } from "./cache.ts";
import { addressesOf, hostInterfaces } from "./cached-result.ts";
import { type HostFiles, readHostFiles } from "./host-files.ts";
import { type Input, textOption } from "./input.ts";
import type { Lease } from "./lease-folders.ts";
import { type BoundNamespace, knownNamespaces } from "./namespaces.ts";
import { type OwnedRule, readOwnedRules } from "./owned-rules.ts";
import { step } from "./progress.ts";

/** A link of the host. */
export type HostLink = Link & { readonly index: number; readonly name: string };

/** An attachment, with all that was found of it. */
export interface FoundAttachment extends Attachment {
  readonly leases: readonly Lease[];
  /** Host ends that are proven to be the attachment's: by their alias, or by name and MAC of the cached result. */
  readonly links: readonly HostLink[];
  readonly cached: CachedAttachment | undefined;
  /** Its namespace, if it is bound to a path that is known. */
  readonly netns: BoundNamespace | undefined;
  readonly rules: readonly OwnedRule[];
}

/** The state of this host. */
export interface HostState extends HostFiles {
  readonly links: readonly HostLink[];
  readonly namespaces: readonly BoundNamespace[];
  readonly attachments: readonly FoundAttachment[];
  /** The rules of all attachments, in the order of their chains. */
  readonly rules: readonly OwnedRule[];
  /** Rules whose attachment is known by nothing else. */
  readonly orphans: readonly OwnedRule[];
}

/** Reads everything, by the common options (rule O5). @throws CommandError, CniError, NetlinkError, SystemError */
export async function readHost(input: Pick<Input, "options">): Promise<HostState> {
  const only = textOption(input, "network");
  const { networks, folders, cache } = readHostFiles(input, only);
  using host = connect(protocol.route);
  const links = readLinks(host);
  const namespaces = knownNamespaces(host, cache);
  step("reading the rules of this host");
  using netfilter = openNftables();
  const rules = await readOwnedRules(netfilter);
  const join = new Join(links, namespaces);
  for (const lease of folders.flatMap(({ leases }) => leases)) join.of(lease).leases.push(lease);
  for (const cached of cache.attachments) join.of(cached).cached = cached;
  for (const link of links) {
    const named = isAttachmentAlias(link.alias) ? parseAttachmentAlias(link.alias ?? "") : undefined;
    if (named !== undefined) join.of(named);
  }
  const { attachments, orphans } = join.finish(rules);
  const isWanted = ({ network }: Partial<Attachment>) => only === undefined || network === only;
  return {
    ...{ networks, folders, cache, links, namespaces, rules },
    attachments: attachments.filter(isWanted),
    orphans: orphans.filter(isWanted),
  };
}

/** All links of the host. @throws NetlinkError */
export const readLinks = (host: Connection): HostLink[] =>
  host.dump(dumpLinks(), ({ payload }) => {
    const { index, name, ...rest } = decodeLink(payload);
    return index === undefined || name === undefined ? undefined : { ...rest, index, name };
  });

/** The addresses that its leases or its ADD's result name. */
export const knownAddresses = ({ leases, cached }: Pick<FoundAttachment, "leases" | "cached">) => [
  ...leases.map(({ address }) => address),
  ...addressesOf(cached),
];

/** An attachment while its parts are collected. */
interface Part extends Attachment {
  readonly leases: Lease[];
  readonly rules: OwnedRule[];
  cached: CachedAttachment | undefined;
}

class Join {
  private readonly parts = new Map<string, Part>();
  private readonly links: readonly HostLink[];
  private readonly namespaces: readonly BoundNamespace[];

  constructor(links: readonly HostLink[], namespaces: readonly BoundNamespace[]) {
    this.links = links;
    this.namespaces = namespaces;
  }

  /** The attachment of these names, which is added if it is new. */
  of({ network, containerId, ifname }: Attachment): Part {
    const key = `${network}/${containerId}/${ifname}`;
    const part = this.parts.get(key) ?? {
      network,
      containerId,
      ifname,
      leases: [],
      rules: [],
      cached: undefined,
    };
    this.parts.set(key, part);
    return part;
  }

  finish(rules: readonly OwnedRule[]): { attachments: FoundAttachment[]; orphans: OwnedRule[] } {
    const orphans: OwnedRule[] = [];
    const find = ownersOf([...this.parts.values()]);
    for (const rule of rules) {
      const parts = find(rule);
      for (const part of parts) part.rules.push(rule);
      if (parts.length === 0) orphans.push(rule);
    }
    const byAlias = Map.groupBy(this.links, ({ alias }) => alias);
    const attachments = [...this.parts.values()].map((part): FoundAttachment => {
      const links = byAlias.get(attachmentAlias(part)) ?? this.reportedLinks(part);
      return { ...part, links, netns: this.netnsOf(part, links) };
    });
    return { attachments, orphans };
  }

  /** The host ends that ADD's result names. The reference gives its links no alias. */
  private reportedLinks({ cached }: Part): HostLink[] {
    const reported = hostInterfaces(cached);
    if (reported.length === 0) return [];
    return this.links.filter(
      ({ kind, name, mac }) =>
        kind === "veth" &&
        mac !== undefined &&
        reported.some((each) => each.name === name && each.mac?.toLowerCase() === formatMac(mac)),
    );
  }

  private netnsOf({ cached, leases }: Part, links: readonly HostLink[]): BoundNamespace | undefined {
    const ids = new Set(links.map(({ linkNetnsId }) => linkNetnsId));
    return (
      this.namespaces.find(({ netnsId }) => netnsId !== undefined && ids.has(netnsId)) ??
      this.namespaces.find(({ inode, cookie }) =>
        leases.some(({ record }) => record?.netns.inode === inode && record.netns.cookie === (cookie ?? 0n)),
      ) ??
      this.namespaces.find(({ path }) => path === cached?.netns)
    );
  }
}

/**
 * Finds the attachments of a rule: by its mark, else by the names in it, else by the address. A rule of the reference does not
 * name the interface, and so belongs to all of its container's.
 */
function ownersOf(parts: readonly Part[]): (rule: OwnedRule) => readonly Part[] {
  const byMark = Map.groupBy(parts, attachmentMark);
  const byContainer = Map.groupBy(parts, ({ network, containerId }) => `${network}/${containerId}`);
  const byAddress = Map.groupBy(
    parts.flatMap((part) => [...new Set(knownAddresses(part).map(formatIp))].map((text) => ({ part, text }))),
    ({ text }) => text,
  );
  const byCheck = new Map(
    parts.flatMap((part) => spoofCheckNames(part).map(({ chain }) => [chain, part] as const)),
  );
  return ({ purpose, mark, network, containerId, address, found }) => {
    if (purpose === "spoof check") {
      const part = byCheck.get(found?.target ?? "");
      return part === undefined ? [] : [part];
    }
    const marked = mark === undefined ? undefined : byMark.get(mark);
    if (marked !== undefined) return marked;
    if (network !== undefined && containerId !== undefined)
      return byContainer.get(`${network}/${containerId}`) ?? [];
    const of = address === undefined ? [] : (byAddress.get(formatIp(address)) ?? []);
    return of
      .map(({ part }) => part)
      .filter((part) => containerId === undefined || part.containerId === containerId);
  };
}
