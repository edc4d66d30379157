/**
 * Which interface still uses an address that is leased to an attachment (docs/decisions/0028-who-has-an-address.md). The
 * alias of a host veth names its attachment. A pair made by the Go plugins has no alias and is found by its address, which
 * the kernel reports without entering the container's namespace. If the host has neither, the host's end may have been
 * moved to another namespace (strays.ts).
 */
import type { HeldAddress } from "../cni/plugin.ts";
import { formatIp } from "../net/ip.ts";
import type { Connection } from "../netlink/connection.ts";
import { getLink, linkOf } from "../netlink/rtnetlink/link.ts";
import { addressesIn } from "./addresses-in.ts";
import { findLink, removeLink } from "./link.ts";
import { claimsOf, describeHostEnd, dumpVeths, type HostVeth, livesElsewhere } from "./own-veth.ts";
import { Strays, type WantedStrays } from "./strays.ts";
import { attachmentAlias, isAliasOf, isAttachmentAlias } from "./veth-identity.ts";

/** An interface that uses an address. */
export interface AddressUser {
  /** As messages show it: `interface "eth0" behind host veth "veth12345678"`. */
  readonly name: string;
  readonly veth: HostVeth;
  /** Whether it provably belongs to the attachment that holds the address. */
  readonly isOwn: boolean;
}

/** The network whose addresses are looked up. */
export interface UsersOf {
  readonly network: string;
  /** Returns the name of the network's bridge; called only when the name is needed. */
  readonly bridge: () => string;
  /** A host veth that does not count: the one that the running ADD has made. */
  readonly except?: { readonly index: number };
}

/** An unmarked veth, and the interface with the address: its index, and its namespace's number unless it is in this one. */
type SeenAddress = readonly [veth: HostVeth, index: number, netnsId?: number];

/** The state of one moment, read from the kernel when it is first needed. */
export class AddressUsers {
  private readonly host: Connection;
  private readonly of: UsersOf;
  private bridge: number | undefined;
  /** Veths by an alias of ours, and those without one whose other end is in this namespace or in one with a number. */
  private links:
    | { readonly marked: ReadonlyMap<string, HostVeth[]>; readonly unmarked: HostVeth[] }
    | undefined;
  /** What is looked up together. Only this is kept in memory, for a container may have any number of addresses. */
  private wanted: WantedStrays | undefined;
  private addresses: ReadonlyMap<string, SeenAddress> | undefined;
  private strays: Strays | undefined;
  /** Indices of the host veths removed since. Their other ends and addresses are gone with them. */
  private readonly removed = new Set<number>();

  constructor(host: Connection, of: UsersOf) {
    this.host = host;
    this.of = of;
  }

  /**
   * Returns the interface that uses an address, or undefined. Removes the attachment's own pair if the pair leads to a
   * namespace that has ended.
   * @param among returns all addresses that will be looked up, so that one dump of the containers serves them all
   * @throws NetlinkError
   */
  find(held: HeldAddress, among: () => readonly HeldAddress[] = () => []): AddressUser | undefined {
    const { network } = this.of;
    const attachment = { network, containerId: held.containerId, ifname: held.ifname };
    const alias = attachmentAlias(attachment);
    const { marked, unmarked } = this.look();
    const claim = claimsOf(attachment);
    for (const veth of [...(marked.get(alias) ?? []), ...unmarked.filter((each) => claim(each) === "own")]) {
      if (this.removed.has(veth.index)) continue;
      if ((veth.linkNetnsId ?? -1) < 0 || livesElsewhere(this.host, veth))
        return { veth, isOwn: true, name: describeHostEnd(veth) };
      this.removeLink(veth);
    }
    const address = formatIp(held.address);
    if (!this.wanted?.addresses.has(address) || !this.wanted.aliases.has(alias)) {
      const all = [held, ...among()];
      this.wanted = {
        addresses: new Set(all.map((each) => formatIp(each.address))),
        aliases: new Set(all.map((each) => attachmentAlias({ network, ...each }))),
        ifnames: new Set(all.map(({ ifname }) => ifname)),
      };
      this.addresses = undefined;
      this.strays = undefined;
    }
    this.addresses ??= this.readAddresses(unmarked, this.wanted.addresses);
    const [veth, index, netnsId] = this.addresses.get(address) ?? [];
    if (veth === undefined || index === undefined)
      return this.findStray(this.wanted, address, alias, held.ifname);
    if (index === veth.peerIndex && this.removed.has(veth.index)) return undefined;
    const where = netnsId === undefined ? {} : { targetNetnsId: netnsId };
    const [outcome] = this.host.getAll([getLink({ index, ...where })]);
    const found = linkOf(outcome?.replies ?? [])?.name ?? "";
    const isOwn = found === held.ifname && index === veth.peerIndex && veth.master === this.bridge;
    return { veth, isOwn, name: `interface ${JSON.stringify(found)} behind ${describeHostEnd(veth)}` };
  }

  /** Finds a pair whose host end is in another namespace, by the attachment's alias or by interface name and address. */
  private findStray(
    wanted: WantedStrays,
    address: string,
    alias: string,
    ifname: string,
  ): AddressUser | undefined {
    this.strays ??= new Strays(this.host, wanted);
    const marked = this.strays.marked(alias);
    const veth = marked ?? this.strays.withAddress(address, ifname);
    if (veth === undefined) return undefined;
    const name =
      veth === marked
        ? `${describeHostEnd(marked)}, moved to another namespace,`
        : `interface ${JSON.stringify(ifname)} of another namespace, with its other end outside the host,`;
    return { veth, isOwn: false, name };
  }

  /** Removes an interface of the attachment. @throws NetlinkError */
  remove(user: AddressUser, { address, containerId }: HeldAddress, log: (line: string) => void): void {
    this.removeLink(user.veth);
    log(`removed ${user.name}, which had ${formatIp(address)} of container ${containerId}`);
  }

  private removeLink(veth: HostVeth): void {
    removeLink(this.host, veth);
    this.removed.add(veth.index);
  }

  /** Ports of the bridge without an alias of ours whose other end is in a living namespace. */
  unmarkedPorts(): HostVeth[] {
    return this.look().unmarked.filter(
      (veth) => veth.master === this.bridge && livesElsewhere(this.host, veth),
    );
  }

  private look(): NonNullable<typeof this.links> {
    if (this.links !== undefined) return this.links;
    const { network, except } = this.of;
    this.bridge = findLink(this.host, this.of.bridge())?.index;
    const veths = dumpVeths(this.host, (veth) => {
      const { index, alias = "", master, linkNetnsId = 0 } = veth;
      if (index === except?.index) return undefined;
      if (isAttachmentAlias(alias)) return isAliasOf(alias, network) ? veth : undefined;
      // A port of another bridge belongs to another network, which may have the same addresses. If the network's bridge is
      // missing, it may have been renamed, so that any bridge may be the network's.
      const mayUse = master === undefined || this.bridge === undefined || master === this.bridge;
      return mayUse && linkNetnsId >= 0 ? veth : undefined;
    });
    const { marked = [], unmarked = [] } = Object.groupBy(veths, ({ alias }) =>
      isAttachmentAlias(alias) ? "marked" : "unmarked",
    );
    this.links = { marked: Map.groupBy(marked, ({ alias = "" }) => alias), unmarked };
    return this.links;
  }

  private readAddresses(
    unmarked: readonly HostVeth[],
    wanted: ReadonlySet<string>,
  ): Map<string, SeenAddress> {
    const addresses = new Map<string, SeenAddress>();
    // Matches a container's end that was moved to the host, too.
    const ownOf = (index: number) =>
      unmarked.find((veth) => veth.linkNetnsId === undefined && veth.peerIndex === index) ??
      unmarked.find((veth) => veth.index === index);
    const isOwn = (text: string, index: number) => wanted.has(text) && ownOf(index) !== undefined;
    for (const [text, index] of addressesIn(this.host, isOwn)) {
      const veth = ownOf(index);
      if (veth !== undefined) addresses.set(text, [veth, index]);
    }
    for (const [netnsId, veths] of Map.groupBy(unmarked, ({ linkNetnsId }) => linkNetnsId)) {
      if (netnsId === undefined) continue;
      for (const [text, index] of addressesIn(this.host, (text) => wanted.has(text), netnsId)) {
        const veth = veths.find(({ peerIndex }) => peerIndex === index) ?? veths[0];
        if (veth !== undefined) addresses.set(text, [veth, index, netnsId]);
      }
    }
    return addresses;
  }
}

/** The clause of a message about an address that is still used. */
export const stillThere = (user: AddressUser | undefined): string | undefined =>
  user === undefined ? undefined : `${user.name} is still there`;
