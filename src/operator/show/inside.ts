/** Reads what is inside of other network namespaces: interfaces, addresses and routes. */
import { ifOpen } from "../../links/addresses-in.ts";
import { FAMILIES } from "../../net/ip.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeAddress, dumpAddressesIn, RTM_NEWADDR } from "../../netlink/rtnetlink/address.ts";
import { decodeLink, dumpLinks, interfaceFlag, type Link } from "../../netlink/rtnetlink/link.ts";
import { dumpNetnsIds, netnsIdIn } from "../../netlink/rtnetlink/netns-id.ts";
import {
  decodeRoute,
  dumpRoutes,
  MAIN_TABLE,
  type Route,
  RTN_UNICAST,
} from "../../netlink/rtnetlink/route.ts";
import { isOwnNetns } from "../../sys/netns.ts";
import { type BoundNamespace, lookInside } from "../namespaces.ts";
import { step } from "../progress.ts";

/** An interface of a namespace. */
export interface InsideInterface {
  readonly index: number;
  readonly name: string;
  readonly mac: Uint8Array | undefined;
  readonly mtu: number | undefined;
  readonly isUp: boolean;
  readonly addresses: readonly Prefix[];
  /** In the main table, those of its own addresses left out; undefined if they could not be read. */
  readonly routes: readonly Route[] | undefined;
}

/** A namespace. */
export interface Inside {
  /** Undefined if it is bound to none that is known. */
  readonly path: string | undefined;
  /** The number by which links of the host name it; undefined if no link leads there. */
  readonly netnsId: number | undefined;
  /** Without the loopback interface. */
  readonly interfaces: readonly InsideInterface[];
}

/** All namespaces with a path or with a link to them. One that ends meanwhile is left out. @throws NetlinkError */
export function readInsides(host: Connection, namespaces: readonly BoundNamespace[]): Inside[] {
  const insides: Inside[] = [];
  const known = new Set<number | undefined>();
  for (const { path, netnsId } of namespaces) {
    if (netnsId !== undefined && known.has(netnsId)) continue;
    step("looking into network namespaces", insides.length, namespaces.length);
    const interfaces = isOwnNetns(path) ? undefined : readAt(path);
    if (interfaces === undefined) continue;
    known.add(netnsId);
    insides.push({ path, netnsId, interfaces });
  }
  for (const netnsId of new Set(host.dump(dumpNetnsIds(), netnsIdIn))) {
    if (known.has(netnsId)) continue;
    const interfaces = ifOpen([], () => interfacesOf(host, netnsId, undefined));
    if (interfaces.length > 0) insides.push({ path: undefined, netnsId, interfaces });
  }
  return insides;
}

const readAt = (path: string): InsideInterface[] | undefined =>
  lookInside(path, (inside) => {
    const routes = FAMILIES.flatMap((family) =>
      inside.dump(dumpRoutes(family, { type: RTN_UNICAST }), ({ payload }) => decodeRoute(payload)),
    );
    return interfacesOf(inside, undefined, routes.filter(isShown));
  });

/** RTPROT_KERNEL of uapi linux/rtnetlink.h: the kernel has made it for an address. */
const RTPROT_KERNEL = 2;

const isShown = ({ table, type, protocol }: Route): boolean =>
  table === MAIN_TABLE && type === RTN_UNICAST && protocol !== RTPROT_KERNEL;

/** RT_SCOPE_LINK: link-local addresses, which every interface with IPv6 has. */
const SCOPE_LINK = 253;

/** The interfaces of the connection's namespace, or of the one with this number. */
function interfacesOf(
  connection: Connection,
  netnsId: number | undefined,
  routes: readonly Route[] | undefined,
): InsideInterface[] {
  const addresses = addressesByLink(connection, netnsId);
  const links = connection.dump(
    dumpLinks(netnsId === undefined ? {} : { targetNetnsId: netnsId }),
    ({ payload }) => decodeLink(payload),
  );
  return links
    .filter((link) => isOther(link, netnsId))
    .map((link) => {
      const { index = 0, name = "", mac, mtu, flags = 0 } = link;
      return {
        ...{ index, name, mac, mtu },
        isUp: (flags & interfaceFlag.up) !== 0,
        addresses: addresses.get(index) ?? [],
        routes: routes?.filter((route) => route.index === index),
      };
    });
}

/** Kernels before 5.0 answer for their own namespace. */
const isOther = ({ flags = 0, targetNetnsId }: Link, netnsId: number | undefined): boolean =>
  (flags & interfaceFlag.loopback) === 0 && targetNetnsId === netnsId;

/** The addresses of this namespace or of the one with this number, by the index of their interface. @throws NetlinkError */
export function addressesByLink(connection: Connection, netnsId?: number): Map<number, Prefix[]> {
  const found = connection.dump(dumpAddressesIn(netnsId), ({ type, payload }) => {
    if (type !== RTM_NEWADDR) return undefined;
    const { index, prefix, scope, targetNetnsId } = decodeAddress(payload);
    return targetNetnsId === netnsId && scope !== SCOPE_LINK ? { index, prefix } : undefined;
  });
  const byLink = new Map<number, Prefix[]>();
  for (const { index, prefix } of found) byLink.set(index, [...(byLink.get(index) ?? []), prefix]);
  return byLink;
}
