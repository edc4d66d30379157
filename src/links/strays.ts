/**
 * Finds strays: veths in other namespaces whose other end is not on the host, as after an attachment's host end was moved
 * to another namespace. The kernel lists the links of each namespace that has a number here, which it has if a link leads or
 * led to it. Strays are never changed: on a machine with nodes in namespaces, they may belong to a node.
 */
import type { Connection } from "../netlink/connection.ts";
import { dumpNetnsIds, getNetnsId, netnsIdIn, netnsIdOf } from "../netlink/rtnetlink/netns-id.ts";
import { Netns, OWN_NETNS } from "../sys/netns.ts";
import { addressesIn, ifOpen } from "./addresses-in.ts";
import { dumpVeths, type HostVeth, livesElsewhere } from "./own-veth.ts";
import { isAttachmentAlias } from "./veth-identity.ts";

/** The strays to find: by alias, or by name and address. */
export interface WantedStrays {
  readonly aliases: ReadonlySet<string>;
  readonly ifnames: ReadonlySet<string>;
  /** As text. */
  readonly addresses: ReadonlySet<string>;
}

/** The strays of one moment. A veth whose other end is in an ended namespace is not one: the kernel is about to delete it. */
export class Strays {
  private readonly host: Connection;
  private readonly wanted: WantedStrays;
  /** Veths of other namespaces with a wanted alias or name; `targetNetnsId` is the namespace's number. */
  private readonly veths: readonly HostVeth[];
  private byAddress: Map<string, HostVeth[]> | undefined;

  /** @throws NetlinkError */
  constructor(host: Connection, wanted: WantedStrays) {
    this.host = host;
    this.wanted = wanted;
    // This namespace may have a number too, since a veth of another namespace may lead to it.
    using own = Netns.open(OWN_NETNS);
    const ownId = netnsIdOf(host.get(getNetnsId(own.fd)));
    this.veths = host
      .dump(dumpNetnsIds(), netnsIdIn)
      .filter((netnsId) => netnsId !== ownId)
      .flatMap((netnsId) => this.vethsIn(netnsId));
  }

  /** None if the namespace can't be read, and on kernels before 4.15, which answer for this namespace instead. */
  private vethsIn(netnsId: number): HostVeth[] {
    const { aliases, ifnames } = this.wanted;
    const keep = (veth: HostVeth) => {
      const { alias = "", name } = veth;
      const isWanted = isAttachmentAlias(alias) ? aliases.has(alias) : ifnames.has(name);
      return isWanted && veth.targetNetnsId === netnsId ? veth : undefined;
    };
    return ifOpen([], () => dumpVeths(this.host, keep, netnsId));
  }

  /** The stray with this alias. */
  marked(alias: string): HostVeth | undefined {
    return this.veths.find((veth) => veth.alias === alias && this.isWhole(veth));
  }

  /** The stray with this name and address, and without an alias of ours. @throws NetlinkError */
  withAddress(address: string, ifname: string): HostVeth | undefined {
    this.byAddress ??= this.readAddresses();
    return this.byAddress.get(address)?.find((veth) => veth.name === ifname && this.isWhole(veth));
  }

  private readAddresses(): Map<string, HostVeth[]> {
    const behindHost = new Set(dumpVeths(this.host, (veth) => `${veth.linkNetnsId} ${veth.peerIndex}`));
    const byAddress = new Map<string, HostVeth[]>();
    for (const veth of this.veths) {
      const { alias, index: own, targetNetnsId } = veth;
      if (isAttachmentAlias(alias) || behindHost.has(`${targetNetnsId} ${own}`)) continue;
      const isWanted = (text: string, index: number) => index === own && this.wanted.addresses.has(text);
      for (const text of addressesIn(this.host, isWanted, targetNetnsId).keys())
        byAddress.set(text, [...(byAddress.get(text) ?? []), veth]);
    }
    return byAddress;
  }

  /** Whether the other end is in a namespace that lives. For one that has ended the kernel reports the number -1. */
  private isWhole(veth: HostVeth): boolean {
    return veth.linkNetnsId === undefined || livesElsewhere(this.host, veth);
  }
}
