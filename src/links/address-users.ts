/**
 * Which interface still uses an address that is leased to an attachment (docs/decisions/0028-who-has-an-address.md). Host
 * veths with an alias of ours say whose they are. Those that the Go plugins made are known only by their address: the kernel
 * answers for the namespace at their other end, without that anything enters it. Where the host has nothing, the host's end
 * may have been moved elsewhere (strays.ts).
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
  /** For messages: `interface "eth0" behind host veth "veth12345678"`. */
  readonly name: string;
  readonly veth: HostVeth;
  /** Whether it is proven to be the attachment's that holds the address. */
  readonly isOwn: boolean;
}

/** Whose addresses they are. */
export interface UsersOf {
  readonly network: string;
  /** The name of the network's bridge, asked for when it is needed. */
  readonly bridge: () => string;
  /** A host veth that does not count: that of an ADD which goes on. */
  readonly except?: { readonly index: number };
}

/** An unmarked veth, and the interface that has an address: its index, and the number of its namespace if that is not here. */
type SeenAddress = readonly [veth: HostVeth, index: number, netnsId?: number];

/** The state of one moment: looked at when it is first asked for. */
export class AddressUsers {
  private readonly host: Connection;
  private readonly of: UsersOf;
  private bridge: number | undefined;
  /** Veths by an alias of ours, and those without one whose other end is here or in a namespace that the kernel can tell. */
  private links:
    | { readonly marked: ReadonlyMap<string, HostVeth[]>; readonly unmarked: HostVeth[] }
    | undefined;
  /** What is asked for together: a container may have any number of others, of which nothing is kept. */
  private wanted: WantedStrays | undefined;
  private addresses: ReadonlyMap<string, SeenAddress> | undefined;
  private strays: Strays | undefined;
  /** Host veths that were removed since, by index: with them their other ends and the addresses of these are gone. */
  private readonly removed = new Set<number>();

  constructor(host: Connection, of: UsersOf) {
    this.host = host;
    this.of = of;
  }

  /**
   * The interface that uses an address; undefined when there is none. What is left of the attachment's own in a namespace
   * that has ended is removed.
   * @param among gives all that will be asked for together: one look at what the containers have serves them all
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

  /** A pair of the attachment whose host's end is in another namespace: marked, or an interface with name and address. */
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

  /** Removes an interface that is the attachment's own. @throws NetlinkError */
  remove(user: AddressUser, { address, containerId }: HeldAddress, log: (line: string) => void): void {
    this.removeLink(user.veth);
    log(`removed ${user.name}, which had ${formatIp(address)} of container ${containerId}`);
  }

  private removeLink(veth: HostVeth): void {
    removeLink(this.host, veth);
    this.removed.add(veth.index);
  }

  /** Ports of the bridge that do not say whose they are, with a living namespace at the other end. */
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
      // Without an alias a port of another bridge is of another network, whose addresses may be the same; unless the bridge
      // is not there under its name, and so may have another now.
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
    // A container's end that was moved to the host.
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

/** The clause that says that a user has its address. */
export const stillThere = (user: AddressUser | undefined): string | undefined =>
  user === undefined ? undefined : `${user.name} is still there`;
