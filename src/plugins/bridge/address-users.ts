/**
 * Which interface still uses an address that is leased to an attachment (docs/decisions/0028-who-has-an-address.md). Host
 * veths with an alias of ours say whose they are. Those that the Go plugins made are known only by their address: the kernel
 * answers for the namespace at their other end, without that anything enters it. Where the host has nothing, the host's end
 * may have been moved elsewhere (strays.ts).
 */
import type { NetworkConfig } from "../../cni/config.ts";
import type { HeldAddress } from "../../cni/plugin.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { present } from "../../netlink/attribute.ts";
import type { Connection } from "../../netlink/connection.ts";
import { getLink, linkOf } from "../../netlink/rtnetlink/link.ts";
import { addressesIn } from "./addresses-in.ts";
import { findLink, removeLink } from "./bridge-link.ts";
import { bridgeName } from "./config.ts";
import {
  describeHostEnd,
  dumpVeths,
  type HostVeth,
  isElsewhere,
  livesElsewhere,
  OwnMarks,
} from "./own-veth.ts";
import { Strays } from "./strays.ts";
import { attachmentAlias, isAliasOf, isAttachmentAlias } from "./veth-identity.ts";

/** An interface that uses an address. */
export interface AddressUser {
  /** For messages: `interface "eth0" behind host veth "veth12345678"`. */
  readonly name: string;
  readonly veth: HostVeth;
  /** Whether it is proven to be the attachment's that holds the address. */
  readonly isOwn: boolean;
}

/** A veth without an alias of ours, and its other end's namespace; undefined if that is the host's. */
interface Unmarked {
  readonly veth: HostVeth;
  readonly netnsId: number | undefined;
}

/** Veths by alias, and those without one. */
interface Links {
  readonly marked: ReadonlyMap<string, readonly HostVeth[]>;
  readonly unmarked: readonly Unmarked[];
}

/** An address in a namespace that an unmarked veth leads to. */
interface SeenAddress extends Unmarked {
  /** Of the interface that has the address. */
  readonly index: number;
}

/** What is asked for together: a container may have any number of others, of which nothing is kept. */
class Wanted {
  readonly addresses: ReadonlySet<string>;
  readonly aliases: ReadonlySet<string>;
  readonly ifnames: ReadonlySet<string>;

  constructor(network: string, all: readonly HeldAddress[]) {
    this.addresses = new Set(all.map(({ address }) => formatIp(address)));
    this.aliases = new Set(all.map((held) => attachmentAlias({ network, ...held })));
    this.ifnames = new Set(all.map(({ ifname }) => ifname));
  }
}

/** The state of one moment: looked at when it is first asked for. */
export class AddressUsers {
  private readonly host: Connection;
  private readonly config: NetworkConfig;
  private readonly except: number | undefined;
  private bridge: number | undefined;
  private links: Links | undefined;
  private wanted: Wanted;
  private addresses: ReadonlyMap<string, SeenAddress> | undefined;
  private strays: Strays | undefined;
  /** Host veths that were removed since, by index: with them their other ends and the addresses of these are gone. */
  private readonly removed = new Set<number>();

  /** `except` is a host veth that does not count: that of an ADD which goes on. */
  constructor(host: Connection, config: NetworkConfig, except?: { readonly index: number }) {
    this.host = host;
    this.config = config;
    this.except = except?.index;
    this.wanted = new Wanted(config.name, []);
  }

  /**
   * The interface that uses an address; undefined when there is none. What is left of the attachment's own in a namespace
   * that has ended is removed.
   * @param among gives all that will be asked for together: one look at what the containers have serves them all
   * @throws NetlinkError
   */
  find(held: HeldAddress, among: () => readonly HeldAddress[] = () => []): AddressUser | undefined {
    const { address, containerId, ifname } = held;
    const attachment = { network: this.config.name, containerId, ifname };
    const { marked, unmarked } = this.look();
    const marks = new OwnMarks(attachment);
    const unmarkedOwn = unmarked.filter(({ veth }) => marks.claim(veth) === "own").map(({ veth }) => veth);
    for (const veth of [...(marked.get(attachmentAlias(attachment)) ?? []), ...unmarkedOwn]) {
      if (this.removed.has(veth.index)) continue;
      if (!isElsewhere(veth) || livesElsewhere(this.host, veth)) {
        return { veth, isOwn: true, name: describeHostEnd(veth) };
      }
      this.removeLink(veth);
    }
    this.want(held, among);
    this.addresses ??= this.readAddresses(unmarked);
    const seen = this.addresses.get(formatIp(address));
    if (seen === undefined) return this.findStray(address, attachmentAlias(attachment), ifname);
    const { veth, netnsId, index } = seen;
    if (index === veth.peerIndex && this.removed.has(veth.index)) return undefined;
    const [outcome] = this.host.askAll([getLink({ index, ...present({ targetNetnsId: netnsId }) })]);
    const found = linkOf(outcome?.replies ?? [])?.name ?? "";
    const isOwn = found === ifname && index === veth.peerIndex && veth.master === this.bridge;
    return { veth, isOwn, name: `interface ${JSON.stringify(found)} behind ${describeHostEnd(veth)}` };
  }

  /** What was looked at for others is looked at anew. */
  private want(held: HeldAddress, among: () => readonly HeldAddress[]): void {
    const { name } = this.config;
    const isWanted = this.wanted.addresses.has(formatIp(held.address));
    if (isWanted && this.wanted.aliases.has(attachmentAlias({ network: name, ...held }))) return;
    this.wanted = new Wanted(name, [held, ...among()]);
    this.addresses = undefined;
    this.strays = undefined;
  }

  /** A pair of the attachment whose host's end is in another namespace: marked, or an interface with name and address. */
  private findStray(address: IpAddress, alias: string, ifname: string): AddressUser | undefined {
    this.strays ??= new Strays(this.host, this.wanted);
    const marked = this.strays.marked(alias);
    if (marked !== undefined) {
      return { veth: marked, isOwn: false, name: `${describeHostEnd(marked)}, moved to another namespace,` };
    }
    const user = this.strays.withAddress(address, ifname);
    if (user === undefined) return undefined;
    const name = `interface ${JSON.stringify(ifname)} of another namespace, with its other end outside the host,`;
    return { veth: user, isOwn: false, name };
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
    const ports = this.look().unmarked.filter(({ veth }) => veth.master === this.bridge);
    return ports.flatMap(({ veth }) => (livesElsewhere(this.host, veth) ? [veth] : []));
  }

  private look(): Links {
    if (this.links !== undefined) return this.links;
    this.bridge = findLink(this.host, bridgeName(this.config.json))?.index;
    const marked = new Map<string, HostVeth[]>();
    const unmarked: Unmarked[] = [];
    for (const veth of dumpVeths(this.host, (found) => (this.mayUse(found) ? found : undefined))) {
      const { alias } = veth;
      if (alias !== undefined && isAttachmentAlias(alias))
        marked.set(alias, [...(marked.get(alias) ?? []), veth]);
      else if (isElsewhere(veth)) unmarked.push({ veth, netnsId: veth.linkNetnsId });
      else if (veth.linkNetnsId === undefined) unmarked.push({ veth, netnsId: undefined });
    }
    this.links = { marked, unmarked };
    return this.links;
  }

  /**
   * Without an alias a port of another bridge is of another network, whose addresses may be the same; unless the bridge
   * is not there under its name, and so may have another now.
   */
  private mayUse({ index, alias, master }: HostVeth): boolean {
    if (index === this.except) return false;
    if (alias !== undefined && isAttachmentAlias(alias)) return isAliasOf(alias, this.config.name);
    return master === undefined || this.bridge === undefined || master === this.bridge;
  }

  private readAddresses(unmarked: readonly Unmarked[]): Map<string, SeenAddress> {
    const byNetns = new Map<number, HostVeth[]>();
    const addresses = new Map<string, SeenAddress>();
    for (const { veth, netnsId } of unmarked) {
      if (netnsId !== undefined) byNetns.set(netnsId, [...(byNetns.get(netnsId) ?? []), veth]);
    }
    const ifWanted = (text: string) => (this.wanted.addresses.has(text) ? text : undefined);
    // A container's end that was moved to the host.
    const ownOf = (index: number) =>
      unmarked.find(({ veth, netnsId }) => netnsId === undefined && veth.peerIndex === index) ??
      unmarked.find(({ veth }) => veth.index === index);
    const ifOwn = (text: string, index: number) =>
      ifWanted(text) !== undefined && ownOf(index) !== undefined ? text : undefined;
    for (const [text, index] of addressesIn(this.host, ifOwn)) {
      const { veth } = ownOf(index) ?? {};
      if (veth !== undefined) addresses.set(text, { veth, netnsId: undefined, index });
    }
    for (const [netnsId, veths] of byNetns) {
      for (const [text, index] of addressesIn(this.host, ifWanted, netnsId)) {
        const veth = veths.find(({ peerIndex }) => peerIndex === index) ?? veths[0];
        if (veth !== undefined) addresses.set(text, { veth, netnsId, index });
      }
    }
    return addresses;
  }
}

/** The clause that says that a user has its address. */
export const stillThere = (user: AddressUser | undefined): string | undefined =>
  user === undefined ? undefined : `${user.name} is still there`;
