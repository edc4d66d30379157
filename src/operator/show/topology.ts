/** Joins what was read of the host to the nodes that `show` shows. */

import { formatIp } from "../../net/ip.ts";
import { formatMac } from "../../net/mac.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import type { IngressPolicy } from "../../netfilter/firewall/layout.ts";
import { decodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import { decodeBridgePort } from "../../netlink/rtnetlink/bridge-port.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import type { PortVlan } from "../../netlink/rtnetlink/vlan.ts";
import { type FoundAttachment, type HostLink, type HostState, knownAddresses } from "../attachments.ts";
import { bridgeNameOf, type Network } from "../networks.ts";
import { attachmentNode, type Known, withOrphans } from "./attachment-node.ts";
import type { Inside, InsideInterface } from "./inside.ts";
import type {
  BridgeNode,
  EndNode,
  LinkNode,
  NamespaceNode,
  NetworkNode,
  OtherNode,
  PortNode,
  VlanNode,
} from "./nodes.ts";

/** What was read. */
export interface Read extends Known {
  readonly host: Pick<HostState, "networks" | "links" | "attachments" | "orphans">;
  readonly insides: readonly Inside[];
  /** The host's, by the index of their interface. */
  readonly addresses: ReadonlyMap<number, readonly Prefix[]>;
  readonly vlans: ReadonlyMap<number, readonly PortVlan[]>;
  readonly policies: ReadonlyMap<string, IngressPolicy>;
}

/** The interface at the other end of a link, or that of an attachment. */
interface End {
  readonly inside: Inside;
  readonly found: InsideInterface;
}

/** The host's links to interfaces of other namespaces. */
interface Ends {
  /** By the index of the host's link. */
  readonly ofLink: ReadonlyMap<number, End>;
  readonly linkTo: ReadonlyMap<InsideInterface, HostLink>;
}

/** An attachment and where it is. */
interface Placed {
  readonly attachment: FoundAttachment;
  readonly link: HostLink | undefined;
  readonly end: End | undefined;
}

/** All networks by their names. */
export function topologyOf(read: Read): NetworkNode[] {
  const { networks, attachments, orphans } = read.host;
  const ends = endsOf(read);
  const proven = new Set(attachments.flatMap(({ links }) => links));
  const placed = attachments.map((attachment) => place(attachment, read, ends, proven));
  const configured = networks.networks.filter(({ shadowedBy }) => shadowedBy === undefined);
  const names = new Set(
    [...configured, ...attachments].map((each) => ("name" in each ? each.name : each.network)),
  );
  const owned = new Set(placed.flatMap(({ link }) => link?.index ?? []));
  const nodes = [...names].sort().map((name): NetworkNode => {
    const network = networkOf(name, read);
    const own = placed.filter(({ attachment }) => attachment.network === name);
    const bridges = bridgesOf(network, own, read).map((bridge) => bridgeNode(bridge, own, owned, ends, read));
    const others = own.filter(({ link }) => link?.portKind !== "bridge");
    return {
      network: name,
      file: network?.file ?? null,
      bridges,
      others: others.map((each) => otherNode(each, read)),
    };
  });
  return withOrphans(nodes, orphans, read);
}

function endsOf({ host, insides }: Read): Ends {
  const all = new Map(
    insides.flatMap((inside) =>
      inside.interfaces.map(
        (found) => [`${inside.netnsId ?? ""} ${found.index}` as string, { inside, found }] as const,
      ),
    ),
  );
  const pairs = host.links.flatMap((link) => {
    const { linkNetnsId, peerIndex } = link;
    const end = linkNetnsId === undefined ? undefined : all.get(`${linkNetnsId} ${peerIndex ?? ""}`);
    return end === undefined ? [] : { link, end };
  });
  return {
    ofLink: new Map(pairs.map(({ link, end }) => [link.index, end])),
    // The first link that leads there counts.
    linkTo: new Map(pairs.toReversed().map(({ link, end }) => [end.found, link])),
  };
}

/**
 * By the proven link, else by the namespace, else by an address: the reference marks nothing. Another network may have the same
 * addresses: then they are behind another bridge, or behind a link that is proven to be another attachment's.
 */
function place(attachment: FoundAttachment, read: Read, ends: Ends, proven: ReadonlySet<HostLink>): Placed {
  const { links, netns, ifname } = attachment;
  const link = links.find(({ index }) => ends.ofLink.has(index)) ?? links[0];
  if (link !== undefined) return { attachment, link, end: ends.ofLink.get(link.index) };
  const addresses = new Set(knownAddresses(attachment).map(formatIp));
  const isOwn = ({ name, addresses: all }: InsideInterface): boolean =>
    (all.some(({ address }) => addresses.has(formatIp(address))) && (ifname === "" || ifname === name)) ||
    (netns !== undefined && name === ifname);
  const isIn = ({ netnsId, path }: Inside): boolean =>
    netns === undefined || path === netns.path || (netnsId !== undefined && netnsId === netns.netnsId);
  const bridges = bridgeNamesOf(networkOf(attachment.network, read));
  const bridge = read.host.links.find(({ kind, name }) => kind === "bridge" && bridges.includes(name))?.index;
  for (const inside of read.insides.filter(isIn)) {
    for (const found of inside.interfaces.filter(isOwn)) {
      const leading = ends.linkTo.get(found);
      const { master } = leading ?? {};
      if (leading !== undefined && proven.has(leading)) continue;
      if (bridge !== undefined && master !== undefined && master !== bridge) continue;
      return { attachment, link: leading, end: { inside, found } };
    }
  }
  return { attachment, link: undefined, end: undefined };
}

const networkOf = (name: string, { host }: Read): Network | undefined =>
  host.networks.networks.find((each) => each.name === name && each.shadowedBy === undefined);

const bridgeNamesOf = (network: Network | undefined): string[] =>
  (network?.plugins ?? []).flatMap((plugin) => bridgeNameOf(plugin) ?? []);

/** The bridges that its configuration names, and those where its attachments are. */
function bridgesOf(
  network: Network | undefined,
  own: readonly Placed[],
  { host }: Read,
): (HostLink | string)[] {
  const named = bridgeNamesOf(network);
  const masters = new Set(own.map(({ link }) => link?.master));
  const used = host.links.filter(
    ({ kind, index, name }) => kind === "bridge" && (masters.has(index) || named.includes(name)),
  );
  return [...used, ...named.filter((name) => !used.some((link) => link.name === name))];
}

function bridgeNode(
  bridge: HostLink | string,
  own: readonly Placed[],
  owned: ReadonlySet<number>,
  ends: Ends,
  read: Read,
): BridgeNode {
  if (typeof bridge === "string") {
    const nothing = { mac: null, mtu: null, up: false, vlans: [], addresses: [], masquerade: [], ports: [] };
    return { ifname: bridge, present: false, ...nothing, vlanFiltering: false, ingressPolicy: "open" };
  }
  const vlanFiltering = decodeBridge(bridge.data ?? new Uint8Array()).vlanFiltering === true;
  const links = read.host.links.filter(({ master }) => master === bridge.index);
  const byLink = Map.groupBy(own, ({ link }) => link);
  const placedAt = (link: HostLink) => byLink.get(link) ?? [];
  const rules = links.flatMap(placedAt).flatMap(({ attachment }) => attachment.rules);
  const masquerade = rules.flatMap(({ purpose, backend }) => (purpose === "masquerade" ? backend : []));
  return {
    ...linkNode(bridge, vlanFiltering, read),
    present: true,
    addresses: (read.addresses.get(bridge.index) ?? []).map(formatPrefix),
    vlanFiltering,
    masquerade: [...new Set(masquerade)].sort(),
    ingressPolicy: read.policies.get(bridge.name) ?? "open",
    ports: links.flatMap((link): PortNode[] => {
      const here = placedAt(link);
      if (here.length === 0 && owned.has(link.index)) return [];
      const { hairpin = false, isolated = false } = decodeBridgePort(link.portData ?? new Uint8Array());
      const port = { ...linkNode(link, vlanFiltering, read), hairpin, isolated };
      const nodes = here.map((each) => ({ ...port, ...endNode(each, read) }));
      return nodes.length > 0
        ? nodes
        : [{ ...port, namespace: namespaceNode(ends.ofLink.get(link.index)), attachment: null }];
    }),
  };
}

const macText = (mac: Uint8Array | undefined): string | null => (mac === undefined ? null : formatMac(mac));

function linkNode(
  { index, name, mac, mtu, flags = 0 }: HostLink,
  hasVlans: boolean,
  { vlans }: Read,
): LinkNode {
  const own = hasVlans ? (vlans.get(index) ?? []) : [];
  return {
    ...{ ifname: name, mac: macText(mac), mtu: mtu ?? null, up: (flags & interfaceFlag.up) !== 0 },
    vlans: own.map(({ vid, end = vid, untagged = false }): VlanNode => ({ first: vid, last: end, untagged })),
  };
}

const otherNode = (placed: Placed, read: Read): OtherNode => ({
  link: placed.link === undefined ? null : linkNode(placed.link, false, read),
  ...endNode(placed, read),
});

const endNode = ({ attachment, end }: Placed, read: Read): EndNode => ({
  namespace: namespaceNode(end),
  attachment: attachmentNode(attachment, read),
});

function namespaceNode(end: End | undefined): NamespaceNode | null {
  if (end === undefined) return null;
  const { name, mac, mtu, isUp, addresses, routes } = end.found;
  return {
    ...{ netns: end.inside.path ?? null, ifname: name, mac: macText(mac), mtu: mtu ?? null, up: isUp },
    addresses: addresses.map(formatPrefix),
    routes:
      routes?.map(({ dst, gateway }) => ({
        dst: formatPrefix(dst),
        gw: gateway === undefined ? null : formatIp(gateway),
      })) ?? null,
  };
}
