/**
 * DEL of the pair (rules B33, G5, G15): only what proves to be the attachment's is removed, found by the container's
 * end, or by the host's end where that can't be reached or is not the attachment's any more.
 */
import { toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Interface } from "../../cni/result.ts";
import { formatMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { getLink, linkOf } from "../../netlink/rtnetlink/link.ts";
import { getNetnsId, netnsIdOf } from "../../netlink/rtnetlink/netns-id.ts";
import { Netns, NoNamespaceError } from "../../sys/netns.ts";
import { connect, connectInside } from "../namespaces.ts";
import { findLink, type PresentLink, removeLink } from "./bridge-link.ts";
import { bridgeName } from "./config.ts";
import { findOwnVeths, OwnMarks, type ReportedEnds, reportedEnds } from "./own-veth.ts";
import { hostVethName } from "./veth-identity.ts";

/** What is known of the interface afterwards. */
export interface Removal {
  /** It was removed, or is proven not to be there. If not, one that nothing here recognizes may live on. */
  readonly isGone: boolean;
  /** Whether the container's namespace was looked into. */
  readonly isReached: boolean;
}

/** Removes the attachment's pair. @throws CniError when it can't be, or when the namespace can't be looked into. */
export function removeInterface(request: Request): Removal {
  using host = connect();
  let obstacle: unknown;
  let isReached = false;
  let end: ContainerEnd | undefined;
  try {
    using netns = openIfThere(request.netns);
    end = netns && ContainerEnd.find(request, host, netns);
    isReached = netns !== undefined;
  } catch (error) {
    obstacle = error;
  }
  using container = end;
  const report = new Report(request);
  const marks = new OwnMarks(request, () => report.ends.host);
  const peer = container?.peer;
  const claim = peer === undefined ? "unmarked" : marks.claim(peer);
  if (container !== undefined && claim === "own") {
    container.remove();
    return { isGone: true, isReached };
  }
  const { host: reportedHost, container: reportedContainer } = report.ends;
  const names = [hostVethName(request), ...(reportedHost ? [reportedHost.name] : [])];
  const own = findOwnVeths(host, marks, names);
  for (const veth of own) removeLink(host, veth);
  if (own.length > 0) return { isGone: true, isReached };
  if (obstacle !== undefined) throw obstacle;
  if (container === undefined) return { isGone: false, isReached };
  if (claim === "unmarked" && container.hasMacOf(reportedContainer)) {
    container.remove();
    return { isGone: true, isReached };
  }
  // The first versions of the protocol report no interfaces. The Go plugins go by the name alone.
  if (
    claim === "unmarked" &&
    reportedContainer === undefined &&
    container.isHere &&
    isPortOf(host, peer, request)
  ) {
    container.remove();
    return { isGone: false, isReached };
  }
  request.log(
    `${JSON.stringify(request.ifname)} in ${request.netns} does not belong to this attachment; not deleting it`,
  );
  return { isGone: false, isReached };
}

/** What prevResult says of the pair, read when it is asked for. One that can't be read does not stop DEL (A31). */
class Report {
  private readonly request: Request;
  private read: ReportedEnds | undefined;

  constructor(request: Request) {
    this.request = request;
  }

  get ends(): ReportedEnds {
    this.read ??= this.parse();
    return this.read;
  }

  private parse(): ReportedEnds {
    try {
      const { prevResult } = this.request.config;
      if (prevResult !== undefined) return reportedEnds(prevResult, this.request.ifname);
    } catch (error) {
      this.request.log(`DEL goes on without prevResult: ${toCniError(error).message}`);
    }
    return { host: undefined, container: undefined };
  }
}

/** A veth in the container under the attachment's name, and its other end, which should be on the host. */
class ContainerEnd implements Disposable {
  readonly peer: PresentLink | undefined;
  /** Whether the other end is on the host. */
  readonly isHere: boolean;
  private readonly link: PresentLink;
  private readonly container: Connection;

  private constructor(container: Connection, link: PresentLink, here: PresentLink | undefined) {
    this.container = container;
    this.link = link;
    this.isHere = here !== undefined;
    this.peer = here ?? otherEndElsewhere(container, link);
  }

  /** Undefined when nothing that can be the attachment's is in the namespace. @throws CniError */
  static find(request: Request, host: Connection, netns: Netns): ContainerEnd | undefined {
    const container = connectInside(netns);
    try {
      const link = findLink(container, request.ifname);
      if (link?.kind === "veth") return new ContainerEnd(container, link, otherEnd(host, link, netns));
      if (link !== undefined) {
        // Another kind of link under that name belongs to another program.
        request.log(
          `${JSON.stringify(request.ifname)} in ${request.netns} is not a veth, so it does not belong to this attachment; not deleting it`,
        );
      }
    } catch (error) {
      container[Symbol.dispose]();
      throw error;
    }
    container[Symbol.dispose]();
    return undefined;
  }

  remove(): void {
    removeLink(this.container, this.link);
  }

  /** Whether it has the MAC of an interface that ADD reported. */
  hasMacOf(reported: Interface | undefined): boolean {
    const { mac } = this.link;
    return mac !== undefined && reported?.mac?.toLowerCase() === formatMac(mac);
  }

  [Symbol.dispose](): void {
    this.container[Symbol.dispose]();
  }
}

/** The namespace, or undefined when it is gone or its path leads to something else by now. */
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
 * The link of the host that is the other end of one in the container. Numbers of links mean something in their own
 * namespace only: a pair between two other namespaces can have the same.
 */
function otherEnd(host: Connection, link: PresentLink, netns: Netns): PresentLink | undefined {
  if (link.peerIndex === undefined) return undefined;
  const [found, number] = host.askAll([getLink({ index: link.peerIndex }), getNetnsId(netns.fd)]);
  const peer = linkOf(found?.replies ?? []);
  const netnsId = netnsIdOf(number?.replies ?? []);
  if (peer?.index === undefined || peer.name === undefined || peer.peerIndex !== link.index) return undefined;
  if (netnsId !== undefined && netnsId !== (peer.linkNetnsId ?? -1)) return undefined;
  return { ...peer, index: peer.index, name: peer.name };
}

/** The other end where it was moved to, as the kernel tells it in the container's namespace (Linux 5.0). */
function otherEndElsewhere(container: Connection, link: PresentLink): PresentLink | undefined {
  const { peerIndex: index, linkNetnsId: targetNetnsId } = link;
  if (index === undefined || targetNetnsId === undefined || targetNetnsId < 0) return undefined;
  const [outcome] = container.askAll([getLink({ index, targetNetnsId })]);
  const peer = linkOf(outcome?.replies ?? []);
  if (peer?.index === undefined || peer.name === undefined || peer.targetNetnsId !== targetNetnsId)
    return undefined;
  return { ...peer, index: peer.index, name: peer.name };
}

/** Whether a host's end is where this network's are: on the bridge, or taken off any. */
function isPortOf(host: Connection, peer: PresentLink | undefined, request: Request): boolean {
  if (peer === undefined) return false;
  if (peer.master === undefined) return true;
  return peer.master === findLink(host, bridgeName(request.config.json))?.index;
}
