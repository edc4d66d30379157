/** What a bridge is to be like, and what every ADD does with one (rules B1, B10). bridge-setup.ts makes and changes it. */
import { CniError, code } from "../cni/error.ts";
import { formatMac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { changeLink, interfaceFlag } from "../netlink/rtnetlink/link.ts";
import { sysctlIfThere } from "../sys/sysctl.ts";
import { findLink, type PresentLink } from "./link.ts";

/** What a bridge is to be like. */
export interface BridgeSettings {
  /** Its name. */
  readonly bridge: string;
  /** Bytes; undefined leaves it to the kernel. */
  readonly mtu?: number;
  readonly promiscMode: boolean;
  /** VLAN of the port; 0 for none. */
  readonly vlan: number;
  /** VLANs that the port carries with their tag; undefined for no such port. */
  readonly trunk?: unknown;
}

/** What the kernel gives a bridge or a port for which no mtu is named. */
export const ETHERNET_MTU = 1500;

/** Whether a port has VLANs at all, so that the bridge must filter by them (rule B10). */
export const wantsVlanFiltering = ({ vlan, trunk }: Pick<BridgeSettings, "vlan" | "trunk">): boolean =>
  vlan !== 0 || trunk !== undefined;

/** IFF_* bits that the bridge is to have. */
export const flagsOf = ({ promiscMode }: BridgeSettings): number =>
  interfaceFlag.up | (promiscMode ? interfaceFlag.promisc : 0);

/** Whether the link is a bridge as it is to be. If not, bridge-setup.ts looks at what has to be done. */
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

/** What a bridge without ports has as long as no address was set. */
export const NO_MAC = "00:00:00:00:00:00";

/**
 * The bridge as it is after a new port. One that another program made without a MAC takes the lowest of its ports', and
 * another when ports go. What it had before is kept (G21).
 */
export function settle(host: Connection, before: PresentLink): PresentLink {
  const bridge = findLink(host, before.name) ?? before;
  if (before.mac === undefined || bridge.mac === undefined) return bridge;
  const mac = formatMac(before.mac);
  // Without any port it may have had none at all.
  if (mac === formatMac(bridge.mac) || mac === NO_MAC) return bridge;
  pinMac(host, before);
  bridge.mac = before.mac;
  return bridge;
}

/**
 * Sets the MAC that the bridge has, or had: only one that was set stays while ports come and go (G21). Containers
 * would lose their gateway for as long as they remember the old one.
 */
export function pinMac(host: Connection, { index, name, mac }: PresentLink): void {
  if (mac !== undefined)
    host.call(changeLink({ index, mac }, `keep the MAC of bridge ${JSON.stringify(name)}`));
}
