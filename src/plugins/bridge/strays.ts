/**
 * Veths in other namespaces whose other end is not on the host: there the host's end of an attachment was moved to, and
 * the container's end is left behind. The kernel lists them by its number for a namespace, which each namespace has here that
 * a link leads or led to. Nothing of them is ever changed: on a machine that has nodes in namespaces, they may be a node's.
 */
import { formatIp, type IpAddress } from "../../net/ip.ts";
import type { Connection } from "../../netlink/connection.ts";
import { dumpNetnsIds, getNetnsId, netnsIdIn, netnsIdOf } from "../../netlink/rtnetlink/netns-id.ts";
import { Netns, OWN_NETNS } from "../../sys/netns.ts";
import { addressesIn, isClosed } from "./addresses-in.ts";
import { dumpVeths, type HostVeth, livesElsewhere } from "./own-veth.ts";
import { isAttachmentAlias } from "./veth-identity.ts";

/** What strays are looked for: by alias, or by name and address. */
export interface WantedStrays {
  readonly aliases: ReadonlySet<string>;
  readonly ifnames: ReadonlySet<string>;
  readonly addresses: ReadonlySet<string>;
}

/** The strays of one moment. What is about to go with the namespace of its other end does not count. */
export class Strays {
  private readonly host: Connection;
  private readonly wanted: WantedStrays;
  /** Veths of other namespaces with a wanted alias or name, by the kernel's number for these. */
  private readonly veths: ReadonlyMap<number, readonly HostVeth[]>;
  private unmarked: Map<string, HostVeth[]> | undefined;

  /** @throws NetlinkError */
  constructor(host: Connection, wanted: WantedStrays) {
    this.host = host;
    this.wanted = wanted;
    const isWanted = ({ alias, name }: HostVeth): boolean =>
      alias !== undefined && isAttachmentAlias(alias) ? wanted.aliases.has(alias) : wanted.ifnames.has(name);
    this.veths = new Map(otherNamespaces(host).map((netnsId) => [netnsId, vethsIn(host, netnsId, isWanted)]));
  }

  /** The one with this alias. */
  marked(alias: string): HostVeth | undefined {
    const found = [...this.veths.values()].flat().filter((veth) => veth.alias === alias);
    return found.find((veth) => isWhole(this.host, veth));
  }

  /** The one without an alias of ours that has this name and this address. @throws NetlinkError */
  withAddress(address: IpAddress, ifname: string): HostVeth | undefined {
    this.unmarked ??= this.readAddresses();
    const found = this.unmarked.get(formatIp(address)) ?? [];
    return found.find((veth) => veth.name === ifname && isWhole(this.host, veth));
  }

  private readAddresses(): Map<string, HostVeth[]> {
    const behindHost = new Set(dumpVeths(this.host, (veth) => `${veth.linkNetnsId} ${veth.peerIndex}`));
    const byAddress = new Map<string, HostVeth[]>();
    for (const [netnsId, veths] of this.veths) {
      const unmarked = veths.filter(
        ({ alias, index }) => !isAttachmentAlias(alias) && !behindHost.has(`${netnsId} ${index}`),
      );
      if (unmarked.length === 0) continue;
      for (const veth of unmarked) {
        const ifOnIt = (text: string, index: number) =>
          index === veth.index && this.wanted.addresses.has(text) ? text : undefined;
        for (const text of addressesIn(this.host, ifOnIt, netnsId).keys()) {
          byAddress.set(text, [...(byAddress.get(text) ?? []), veth]);
        }
      }
    }
    return byAddress;
  }
}

function otherNamespaces(host: Connection): number[] {
  // A veth elsewhere may lead to this namespace, which gives it a number too.
  using own = Netns.open(OWN_NETNS);
  const ownId = netnsIdOf(host.ask(getNetnsId(own.fd)));
  return host.dump(dumpNetnsIds(), netnsIdIn).filter((netnsId) => netnsId !== ownId);
}

/** None for a namespace that is closed, and on kernels before 4.15, which answer for another. */
function vethsIn(host: Connection, netnsId: number, isWanted: (veth: HostVeth) => boolean): HostVeth[] {
  try {
    const keep = (veth: HostVeth) => (veth.targetNetnsId === netnsId && isWanted(veth) ? veth : undefined);
    return dumpVeths(host, keep, netnsId);
  } catch (error) {
    if (isClosed(error)) return [];
    throw error;
  }
}

/** Whether the other end is in a namespace that lives. The kernel gives no number (-1) to one that has ended. */
const isWhole = (host: Connection, veth: HostVeth): boolean => {
  const { linkNetnsId } = veth;
  return linkNetnsId === undefined || (linkNetnsId >= 0 && livesElsewhere(host, veth));
};
