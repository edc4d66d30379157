/**
 * Veths in other namespaces whose other end is not on the host: there the host's end of an attachment was moved to, and
 * the container's end is left behind. The kernel lists them by its number for a namespace, which each namespace has here that
 * a link leads or led to. Nothing of them is ever changed: on a machine that has nodes in namespaces, they may be a node's.
 */
import type { Connection } from "../netlink/connection.ts";
import { dumpNetnsIds, getNetnsId, netnsIdIn, netnsIdOf } from "../netlink/rtnetlink/netns-id.ts";
import { Netns, OWN_NETNS } from "../sys/netns.ts";
import { addressesIn, ifOpen } from "./addresses-in.ts";
import { dumpVeths, type HostVeth, livesElsewhere } from "./own-veth.ts";
import { isAttachmentAlias } from "./veth-identity.ts";

/** What strays are looked for: by alias, or by name and address. */
export interface WantedStrays {
  readonly aliases: ReadonlySet<string>;
  readonly ifnames: ReadonlySet<string>;
  /** Texts. */
  readonly addresses: ReadonlySet<string>;
}

/** The strays of one moment. What is about to go with the namespace of its other end does not count. */
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
    // A veth elsewhere may lead to this namespace, which gives it a number too.
    using own = Netns.open(OWN_NETNS);
    const ownId = netnsIdOf(host.get(getNetnsId(own.fd)));
    this.veths = host
      .dump(dumpNetnsIds(), netnsIdIn)
      .filter((netnsId) => netnsId !== ownId)
      .flatMap((netnsId) => this.vethsIn(netnsId));
  }

  /** None for a namespace that is closed, and on kernels before 4.15, which answer for another. */
  private vethsIn(netnsId: number): HostVeth[] {
    const { aliases, ifnames } = this.wanted;
    const keep = (veth: HostVeth) => {
      const { alias = "", name } = veth;
      const isWanted = isAttachmentAlias(alias) ? aliases.has(alias) : ifnames.has(name);
      return isWanted && veth.targetNetnsId === netnsId ? veth : undefined;
    };
    return ifOpen([], () => dumpVeths(this.host, keep, netnsId));
  }

  /** The one with this alias. */
  marked(alias: string): HostVeth | undefined {
    return this.veths.find((veth) => veth.alias === alias && this.isWhole(veth));
  }

  /** The one without an alias of ours that has this name and this address. @throws NetlinkError */
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

  /** Whether the other end is in a namespace that lives. The kernel gives no number (-1) to one that has ended. */
  private isWhole(veth: HostVeth): boolean {
    return veth.linkNetnsId === undefined || livesElsewhere(this.host, veth);
  }
}
