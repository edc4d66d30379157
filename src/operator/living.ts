/**
 * Evidence that an attachment lives, for leases whose own record does not say it: its address or its host veth's alias in a
 * living namespace, or a bound namespace of libcni's cache. It only looks; nothing is changed by it.
 */
import { addressesIn, ifOpen } from "../links/addresses-in.ts";
import { livesElsewhere } from "../links/own-veth.ts";
import { attachmentAlias, isAttachmentAlias } from "../links/veth-identity.ts";
import { formatIp, type IpAddress } from "../net/ip.ts";
import type { Connection } from "../netlink/connection.ts";
import { connect, protocol } from "../netlink/index.ts";
import { dumpNetnsIds, netnsIdIn } from "../netlink/rtnetlink/netns-id.ts";
import { SystemError } from "../sys/errno.ts";
import { Netns, NoNamespaceError } from "../sys/netns.ts";
import { type HostLink, readLinks } from "./attachments.ts";
import type { Cache, CachedAttachment } from "./cache.ts";
import type { Lease } from "./lease-folders.ts";
import { type BoundNamespace, knownNamespaces } from "./namespaces.ts";
import { bridgeNameOf, type Network } from "./networks.ts";
import { step } from "./progress.ts";

/** Where an attachment lives. */
export interface Life {
  /** The path of its namespace; undefined if it is bound to none. */
  readonly netns: string | undefined;
  /** As in 'its address is on an interface of namespace "/run/netns/a"'. */
  readonly why: string;
}

/** Links and namespaces that were read already. */
export interface Seen {
  readonly links: readonly HostLink[];
  readonly namespaces: readonly BoundNamespace[];
}

/** An address that is in use. */
export interface Use extends Life {
  /** The bridge behind its interface, if it is behind a port of one. */
  readonly master: number | undefined;
}

/** What this host shows of living attachments at one moment. */
export class Living {
  readonly namespaces: readonly BoundNamespace[];
  private readonly host: Connection;
  private readonly networks: readonly Network[];
  private readonly links: readonly HostLink[];
  private readonly byAlias: ReadonlyMap<string | undefined, HostLink[]>;
  /** Whether any link has an alias of ours. */
  private readonly isAnyMarked: boolean;
  private readonly paths: ReadonlyMap<number | undefined, string>;
  /** By network, as far as they were asked for. */
  private readonly bridges = new Map<string, number | undefined>();
  private readonly cached: ReadonlyMap<string, readonly CachedAttachment[]>;
  private uses: ReadonlyMap<string, Use[]> | undefined;

  /** @throws NetlinkError, SystemError */
  constructor(host: Connection, cache: Cache, networks: readonly Network[], seen?: Seen) {
    this.host = host;
    this.networks = networks;
    this.cached = Map.groupBy(cache.attachments, containerOf);
    this.links = seen?.links ?? readLinks(host);
    this.byAlias = Map.groupBy(this.links, ({ alias }) => alias);
    this.isAnyMarked = this.links.some(({ alias }) => isAttachmentAlias(alias));
    this.namespaces = seen?.namespaces ?? knownNamespaces(host, cache);
    this.paths = new Map(this.namespaces.map(({ netnsId, path }) => [netnsId, path]));
  }

  /** Where the attachment of a lease lives; undefined if nothing shows that it does. @throws NetlinkError */
  lifeOf(lease: Lease): Life | undefined {
    // Ten thousand aliases take a tenth of a second, and a host of the reference's plugins has none.
    const marked = this.isAnyMarked ? this.byAlias.get(attachmentAlias(lease)) : undefined;
    const veth = marked?.find((link) => this.leadsOn(link));
    if (veth !== undefined)
      return {
        netns: this.pathOf(veth.linkNetnsId),
        why: `its host veth ${JSON.stringify(veth.name)} leads to a living namespace`,
      };
    const bridge = this.bridgeOf(lease.network);
    // Another network may have the same addresses: then they are behind another bridge.
    const use = this.usersOf(lease.address).find(
      ({ master }) => master === undefined || bridge === undefined || master === bridge,
    );
    return use ?? (lease.record === undefined ? this.cachedLife(lease) : undefined);
  }

  /** Who has an address, in this namespace and in all that are known; another network may have it as well. */
  usersOf(address: IpAddress): readonly Use[] {
    this.uses ??= this.readUses();
    return this.uses.get(formatIp(address)) ?? [];
  }

  /** The path of a namespace by its number. */
  private pathOf(netnsId: number | undefined): string | undefined {
    return netnsId === undefined ? undefined : this.paths.get(netnsId);
  }

  /** Whether it leads to a living namespace. Without a number the other end was moved to this namespace. */
  private leadsOn({ index, name, mac, master, peerIndex, linkNetnsId, targetNetnsId }: HostLink): boolean {
    const veth = { index, name, mac, master, peerIndex, linkNetnsId, targetNetnsId };
    return linkNetnsId === undefined || livesElsewhere(this.host, veth);
  }

  /** The index of a network's bridge; undefined if the network has none, or it is not there. */
  private bridgeOf(network: string): number | undefined {
    if (!this.bridges.has(network)) this.bridges.set(network, this.findBridge(network));
    return this.bridges.get(network);
  }

  private findBridge(network: string): number | undefined {
    const plugins = this.networks.find(({ name }) => name === network)?.plugins ?? [];
    const [name] = plugins.flatMap((plugin) => bridgeNameOf(plugin) ?? []);
    return this.links.find((link) => link.kind === "bridge" && link.name === name)?.index;
  }

  /** The addresses of this namespace, of all that have a number here, and of those that are bound to a path. */
  private readUses(): Map<string, Use[]> {
    const all = new Map<string, Use[]>();
    const masters = new Map(
      this.links.map(({ linkNetnsId, peerIndex, master }) => [`${linkNetnsId} ${peerIndex}`, master]),
    );
    const add = (
      found: ReadonlyMap<string, number>,
      netns: string | undefined,
      where: string,
      netnsId?: number,
    ): void => {
      const why = `its address is on an interface of ${where}`;
      for (const [text, index] of found) {
        const master = netnsId === undefined ? undefined : masters.get(`${netnsId} ${index}`);
        const users = all.get(text) ?? [];
        users.push({ netns, why, master });
        all.set(text, users);
      }
    };
    const isAny = () => true;
    add(addressesIn(this.host, isAny), undefined, "this host");
    const ids = new Set(this.host.dump(dumpNetnsIds(), netnsIdIn));
    let count = 0;
    for (const netnsId of ids) {
      step("reading the addresses of network namespaces", count++, ids.size);
      const path = this.pathOf(netnsId);
      const where = path === undefined ? "a living namespace" : `namespace ${JSON.stringify(path)}`;
      add(addressesIn(this.host, isAny, netnsId), path, where, netnsId);
    }
    for (const { path, netnsId } of this.namespaces)
      if (netnsId === undefined) add(addressesAt(path), path, `namespace ${JSON.stringify(path)}`);
    return all;
  }

  /** Only for a lease without a record: the path may lead to a newer namespace by now. */
  private cachedLife(lease: Lease): Life | undefined {
    // Ten thousand keys need not be made for an empty cache.
    if (this.cached.size === 0) return undefined;
    const cached = this.cached
      .get(containerOf(lease))
      ?.find(({ ifname }) => lease.ifname === "" || ifname === lease.ifname);
    if (cached === undefined) return undefined;
    const netns = this.namespaces.find(({ path }) => path === cached.netns)?.path;
    if (netns === undefined) return undefined;
    return { netns, why: `libcni's cache names namespace ${JSON.stringify(netns)}, which exists` };
  }
}

const containerOf = ({ network, containerId }: Pick<Lease, "network" | "containerId">): string =>
  `${network}/${containerId}`;

/** Addresses of a namespace that has no number here, since no link leads there: that of a macvlan interface, say. */
function addressesAt(path: string): ReadonlyMap<string, number> {
  try {
    using netns = Netns.open(path);
    using inside = netns.run(() => connect(protocol.route));
    return ifOpen<ReadonlyMap<string, number>>(new Map(), () => addressesIn(inside, () => true));
  } catch (error) {
    if (error instanceof SystemError || error instanceof NoNamespaceError) return new Map();
    throw error;
  }
}
