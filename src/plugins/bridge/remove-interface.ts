/**
 * DEL of the pair (rules B33, G5, G15), which is removed only if it is proven to be the attachment's. It is found by the
 * container's end, or by the host's end if the container's end can't be reached or is not the attachment's.
 */
import { toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Interface } from "../../cni/result.ts";
import { findLink, type PresentLink, removeLink } from "../../links/link.ts";
import { connect, connectInside } from "../../links/namespaces.ts";
import { claimsOf, dumpVeths, type Marks } from "../../links/own-veth.ts";
import { hostVethName } from "../../links/veth-identity.ts";
import { formatMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { getLink, type Link, linkOf } from "../../netlink/rtnetlink/link.ts";
import { getNetnsId, netnsIdOf } from "../../netlink/rtnetlink/netns-id.ts";
import { Netns, NoNamespaceError } from "../../sys/netns.ts";
import { bridgeName } from "./config.ts";

/** The result of removeInterface. */
export interface Removal {
  /** Whether an interface proven to be the attachment's was removed. If false, one may still exist unrecognized. */
  readonly isGone: boolean;
  /** Whether the container's namespace could be read. */
  readonly isReached: boolean;
}

/** Removes the attachment's pair. @throws CniError if the pair can't be removed or the namespace can't be read. */
export function removeInterface(request: Request): Removal {
  const { ifname, log } = request;
  using host = connect();
  let obstacle: unknown;
  let netns: Netns | undefined;
  let container: Connection | undefined;
  let link: PresentLink | undefined;
  let here: Link | undefined;
  let peer: Link | undefined;
  try {
    netns = openIfThere(request.netns);
    container = netns && connectInside(netns);
    link = container && findLink(container, ifname);
    if (netns !== undefined && container !== undefined && link?.kind === "veth") {
      here = otherEnd(host, link, netns);
      peer = here ?? otherEndElsewhere(container, link);
    } else if (link !== undefined) {
      // Another kind of link under that name belongs to another program.
      const name = `${JSON.stringify(ifname)} in ${request.netns}`;
      log(`${name} is not a veth, so it does not belong to this attachment; not deleting it`);
      link = undefined;
    }
  } catch (error) {
    obstacle = error;
  }
  using _netns = netns;
  using _container = container;
  const isReached = netns !== undefined && obstacle === undefined;
  let read: Reported | undefined;
  const reported = () => (read ??= reportedEnds(request));
  const claim = claimsOf(request, () => reported().host?.mac);
  const claimed = peer === undefined ? "unmarked" : claim(peer);
  if (container !== undefined && link !== undefined && claimed === "own") {
    removeLink(container, link);
    return { isGone: true, isReached };
  }
  const own = findOwn(host, [hostVethName(request), reported().host?.name], (veth) => claim(veth) === "own");
  for (const veth of own) removeLink(host, veth);
  if (own.length > 0) return { isGone: true, isReached };
  if (obstacle !== undefined) throw obstacle;
  if (container === undefined || link === undefined) return { isGone: false, isReached };
  const { mac } = link;
  const isReported = mac !== undefined && formatMac(mac) === reported().container?.mac?.toLowerCase();
  // Results before version 0.3.0 have no interfaces. The Go plugins, too, identify the interface by its name alone.
  const isNameEnough = () => reported().container === undefined && isPortOf(host, here, request);
  if (claimed === "unmarked" && (isReported || isNameEnough())) {
    removeLink(container, link);
    return { isGone: isReported, isReached };
  }
  log(`${JSON.stringify(ifname)} in ${request.netns} does not belong to this attachment; not deleting it`);
  return { isGone: false, isReached };
}

/** The two ends as ADD's result reports them (rule B16). */
interface Reported {
  readonly host?: Interface | undefined;
  readonly container?: Interface | undefined;
}

/** Finds the ends in prevResult, the host's right before the container's. An unreadable prevResult counts as none (A31). */
function reportedEnds({ config, ifname, log }: Request): Reported {
  try {
    const { interfaces } = config.prevResult ?? { interfaces: [] };
    const at = interfaces.findIndex(({ name, sandbox }) => name === ifname && sandbox !== undefined);
    const before = interfaces[at - 1];
    return { host: before?.sandbox === undefined ? before : undefined, container: interfaces[at] };
  } catch (error) {
    log(`DEL goes on without prevResult: ${toCniError(error).message}`);
    return {};
  }
}

/**
 * Finds the host ends of the attachment, first by name, which needs no dump of all containers' links, then among all veths.
 */
function findOwn(
  host: Connection,
  names: readonly (string | undefined)[],
  isOwn: (link: Marks) => boolean,
): readonly { readonly index: number }[] {
  for (const name of names) {
    const named = name === undefined ? undefined : findLink(host, name);
    if (named !== undefined && isOwn(named)) return [named];
  }
  return dumpVeths(host, (veth) => (isOwn(veth) ? { index: veth.index } : undefined));
}

/** Opens the namespace; undefined if it is gone or its path leads to something else by now. */
function openIfThere(path: string): Netns | undefined {
  if (path === "") return undefined;
  try {
    return Netns.open(path);
  } catch (error) {
    if (error instanceof NoNamespaceError) return undefined;
    throw toCniError(error).during(`cannot open netns ${JSON.stringify(path)}`);
  }
}

/**
 * Finds the other end of the container's link on the host. Indices are unique only within their namespace, so a pair between
 * two other namespaces may have the same ones.
 */
function otherEnd(host: Connection, link: PresentLink, netns: Netns): Link | undefined {
  if (link.peerIndex === undefined) return undefined;
  const [found, number] = host.getAll([getLink({ index: link.peerIndex }), getNetnsId(netns.fd)]);
  const peer = linkOf(found?.replies ?? []);
  const netnsId = netnsIdOf(number?.replies ?? []);
  const isPeer =
    peer?.peerIndex === link.index && (netnsId === undefined || netnsId === (peer.linkNetnsId ?? -1));
  return isPeer ? peer : undefined;
}

/** Reads the other end in the namespace that it was moved to, through the container's namespace (Linux 5.0). */
function otherEndElsewhere(container: Connection, link: PresentLink): Link | undefined {
  const { peerIndex: index, linkNetnsId: targetNetnsId } = link;
  if (index === undefined || targetNetnsId === undefined || targetNetnsId < 0) return undefined;
  const [outcome] = container.getAll([getLink({ index, targetNetnsId })]);
  const peer = linkOf(outcome?.replies ?? []);
  return peer?.targetNetnsId === targetNetnsId ? peer : undefined;
}

/** Whether a host's end is on the network's bridge, or on no bridge. */
const isPortOf = (host: Connection, peer: Link | undefined, request: Request): boolean =>
  peer !== undefined &&
  (peer.master === undefined || peer.master === findLink(host, bridgeName(request.config.json))?.index);
