/**
 * Names for what each side chooses by itself: host veths, hardware addresses, and the link-local addresses that follow
 * from them. An alias says whose it is, so that the same role compares equal and another does not.
 */
import type { RawState } from "./host.ts";

interface LinkFacts {
  readonly ifname: string;
  readonly ifindex: number;
  readonly link_index?: number;
  readonly link_netnsid?: number;
  /** Name of the other end where it is in the same namespace. */
  readonly link?: string;
  readonly address?: string;
  readonly linkinfo?: { readonly info_kind?: string };
}

const MAC = /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi;
/** Those that cases ask for: they are compared as they are. */
const ASKED = /^02:00:(5e|00:00)/;
const LINK_LOCAL = /\bfe80::[0-9a-f:]+/gi;
const HOST_VETH = /\bveth[0-9a-f]{8}\b/g;

export class Aliases {
  private readonly names = new Map<string, string>();
  private readonly macs = new Map<string, string>();

  /** Learns the names of a state. What was learnt before stays, for rules that outlive their interface. */
  learn(state: RawState): void {
    const host = linksOf(state.host.addr);
    // A pair whose ends are both on the host: one of them was asked for by name.
    for (const link of host) {
      const peer = host.find(
        ({ ifname, ifindex }) =>
          link.link === ifname || (link.link_netnsid === undefined && link.link_index === ifindex),
      );
      if (
        peer !== undefined &&
        peer !== link &&
        /^veth[0-9a-f]{8}$/.test(peer.ifname) &&
        !/^veth[0-9a-f]{8}$/.test(link.ifname)
      ) {
        this.names.set(peer.ifname, `veth(host ${link.ifname})`);
        this.learnMac(peer.address, `mac(veth of host ${link.ifname})`);
      }
    }
    for (const [container, sections] of Object.entries(state.containers)) {
      for (const link of linksOf(sections?.addr)) {
        if (link.linkinfo?.info_kind === "veth") {
          const peer = host.find(
            ({ ifindex, link_index }) => ifindex === link.link_index && link_index === link.ifindex,
          );
          if (peer !== undefined) {
            this.names.set(peer.ifname, `veth(${container} ${link.ifname})`);
            this.learnMac(peer.address, `mac(veth of ${container} ${link.ifname})`);
          }
        }
        this.learnMac(link.address, `mac(${container} ${link.ifname})`);
      }
    }
    // After the ports, whose address a bridge may have.
    for (const link of host) this.learnMac(link.address, `mac(${link.ifname})`);
  }

  private learnMac(mac: string | undefined, alias: string): void {
    if (mac !== undefined && !this.macs.has(mac)) this.macs.set(mac, alias);
  }

  /** The name of a link as the report shows it. */
  link(name: string): string {
    return this.names.get(name) ?? name.replace(HOST_VETH, "veth(?)");
  }

  /** A text with all names in it replaced. */
  text(text: string): string {
    return text
      .replace(HOST_VETH, (name) => this.link(name))
      .replace(MAC, (mac) => this.mac(mac))
      .replace(LINK_LOCAL, (address) => this.linkLocal(address));
  }

  private mac(mac: string): string {
    const lower = mac.toLowerCase();
    if (ASKED.test(lower) || /^(00:00:00:00:00:00|ff:ff|33:33|01:)/.test(lower)) return mac;
    return this.macs.get(lower) ?? "mac(?)";
  }

  /** Those whose interface identifier is made of a hardware address (RFC 4291, appendix A). */
  private linkLocal(address: string): string {
    const groups = address.slice("fe80::".length).split(":");
    if (groups.length !== 4) return address;
    const hex = groups.map((group) => group.padStart(4, "0")).join("");
    if (hex.slice(6, 10) !== "fffe") return address;
    const bytes = [...(hex.slice(0, 6) + hex.slice(10)).matchAll(/../g)].map(([byte]) =>
      Number.parseInt(byte, 16),
    );
    const mac = bytes.map((byte, index) => (index === 0 ? byte ^ 2 : byte).toString(16).padStart(2, "0"));
    return `fe80::${this.mac(mac.join(":"))}`;
  }
}

/** The links in the output of `ip -d -j addr`. */
export const linksOf = (text: string | undefined): LinkFacts[] =>
  text === undefined || text.trim() === ""
    ? []
    : (JSON.parse(text) as LinkFacts[]).filter(({ ifname }) => ifname);

/** A text without the names that each side chooses by itself. */
export const normal = (text: string): string =>
  text
    .replace(HOST_VETH, "veth*")
    .replace(MAC, (mac) => (ASKED.test(mac) || mac === "00:00:00:00:00:00" ? mac : "(mac)"));
