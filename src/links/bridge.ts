/** Settings of a bridge, and what every ADD does with it (rules B1, B10). bridge-setup.ts creates and changes bridges. */
import { CniError, code } from "../cni/error.ts";
import { formatMac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { changeLink, interfaceFlag } from "../netlink/rtnetlink/link.ts";
import { sysctlIfThere } from "../sys/sysctl.ts";
import { findLink, type PresentLink } from "./link.ts";

/** The configured settings of a bridge. */
export interface BridgeSettings {
  /** Name. */
  readonly bridge: string;
  /** Bytes; undefined leaves it to the kernel. */
  readonly mtu?: number;
  readonly promiscMode: boolean;
  /** VLAN of the port; 0 for none. */
  readonly vlan: number;
  /** Tagged VLANs of the port; undefined if it is not a trunk. */
  readonly trunk?: unknown;
}

/** The kernel's mtu for a bridge or a port that is created without one. */
export const ETHERNET_MTU = 1500;

/** Whether the port has VLANs, so that the bridge must filter by them (rule B10). */
export const wantsVlanFiltering = ({ vlan, trunk }: Pick<BridgeSettings, "vlan" | "trunk">): boolean =>
  vlan !== 0 || trunk !== undefined;

/** IFF_* bits that the bridge needs. */
export const flagsOf = ({ promiscMode }: BridgeSettings): number =>
  interfaceFlag.up | (promiscMode ? interfaceFlag.promisc : 0);

/** Whether the link is a bridge with the configured settings, so that bridge-setup.ts is not needed. */
export function isReady(link: PresentLink | undefined, settings: BridgeSettings): link is PresentLink {
  const flags = flagsOf(settings);
  return (
    link?.kind === "bridge" &&
    ((link.flags ?? 0) & flags) === flags &&
    link.mtu === (settings.mtu ?? ETHERNET_MTU) &&
    !wantsVlanFiltering(settings) &&
    sysctlIfThere("net", "ipv6", "conf", link.name, "accept_ra") === "0"
  );
}

/** @throws CniError when the link is not a bridge (rule B1). */
export function requireBridge(link: PresentLink): void {
  if (link.kind === "bridge") return;
  throw new CniError(
    code.invalidConfig,
    `${JSON.stringify(link.name)} already exists but is not a bridge: it is ${link.kind === undefined ? "a device" : `of kind ${JSON.stringify(link.kind)}`}; choose another name for "bridge" or remove the interface`,
  );
}

/** MAC of a bridge that has no ports and was never given a MAC. */
export const NO_MAC = "00:00:00:00:00:00";

/**
 * Reads the bridge after a port was added, and keeps its MAC (G21): a bridge that another program created without a MAC
 * takes the lowest MAC of its ports, which changes as ports are added and removed.
 */
export function settle(host: Connection, before: PresentLink): PresentLink {
  const bridge = findLink(host, before.name) ?? before;
  if (before.mac === undefined || bridge.mac === undefined) return bridge;
  const mac = formatMac(before.mac);
  // A bridge without ports may have had no MAC.
  if (mac === formatMac(bridge.mac) || mac === NO_MAC) return bridge;
  pinMac(host, before);
  bridge.mac = before.mac;
  return bridge;
}

/**
 * Sets the MAC of the bridge to `mac`, since only a MAC that was set stays while ports are added and removed (G21). With
 * another MAC, containers would lose their gateway until their neighbour entry expires.
 */
export function pinMac(host: Connection, { index, name, mac }: PresentLink): void {
  if (mac !== undefined)
    host.call(changeLink({ index, mac }, `keep the MAC of bridge ${JSON.stringify(name)}`));
}
