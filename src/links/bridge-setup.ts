/** Creates a missing bridge and changes one that is not as configured (rules B1, B10–B12, G21, G22, K20). */
import { CniError, code } from "../cni/error.ts";
import { formatMac } from "../net/mac.ts";
import type { Connection } from "../netlink/connection.ts";
import { type NetlinkError, refusedWith } from "../netlink/error.ts";
import { decodeBridge, encodeBridge } from "../netlink/rtnetlink/bridge.ts";
import { changeLink, type Link } from "../netlink/rtnetlink/link.ts";
import { claimNetns } from "../sys/netns-lock.ts";
import {
  type BridgeSettings,
  ETHERNET_MTU,
  flagsOf,
  NO_MAC,
  pinMac,
  requireBridge,
  wantsVlanFiltering,
} from "./bridge.ts";
import { type Change, findLink, makeLink, type PresentLink, portsOf, randomMac, removeLink } from "./link.ts";
import { refuseRouters } from "./router-advertisements.ts";

/** A bridge that can be used. */
export interface BridgeSetup {
  readonly link: PresentLink;
  /** Whether this call created it. */
  readonly created: boolean;
}

/**
 * Creates the bridge if `found` is undefined, and gives it the configured settings. `undo` removes what was created unless
 * others use it by then.
 * @throws CniError when something else has its name.
 */
export function setUpBridge(
  change: Change,
  found: PresentLink | undefined,
  settings: BridgeSettings,
): BridgeSetup {
  if (found !== undefined) return { link: adopt(change, found, settings), created: false };
  const { host } = change;
  const name = JSON.stringify(settings.bridge);
  const bridge = {
    name: settings.bridge,
    kind: "bridge",
    // An address of its own keeps the bridge's MAC constant while ports come and go (G21).
    mac: randomMac(),
    ...(settings.mtu !== undefined && { mtu: settings.mtu }),
    ...(wantsVlanFiltering(settings) && { data: encodeBridge({ vlanFiltering: true }) }),
  };
  const made = makeLink(change, bridge, (link) => ifUnused(host, link, () => removeLink(host, link)));
  // EEXIST: another ADD has created the bridge in the meantime.
  if (made.error !== undefined && !refusedWith(made.error, "EEXIST")) {
    throw new CniError(
      code.internal,
      `failed to create bridge ${name}: ${made.error.message}${missingVlans(made.error, settings)}`,
    );
  }
  const link = findLink(host, settings.bridge);
  if (link === undefined) {
    throw new CniError(
      code.tryAgainLater,
      `bridge ${name} vanished while it was being set up: another program deletes it`,
    );
  }
  return { link: adopt(change, link, settings), created: made.error === undefined };
}

/** Checks a bridge and changes the settings that differ from the configuration, in one request. */
function adopt(change: Change, link: PresentLink, settings: BridgeSettings): PresentLink {
  const { host, undo } = change;
  requireBridge(link);
  const filtering = needsVlanFiltering(host, link, settings);
  const flags = flagsOf(settings);
  const { mtu = 0 } = link;
  // The mtu is raised only without ports: a port with a smaller mtu could not carry the longer frames (G22).
  const raised =
    settings.mtu !== undefined && settings.mtu > mtu && portsOf(host, link).length === 0
      ? settings.mtu
      : undefined;
  keepMtu(host, link, settings.mtu ?? ETHERNET_MTU);
  refuseRouters(change, link);
  if (((link.flags ?? 0) & flags) === flags && raised === undefined && !filtering) return link;
  const request = (flags: number, mtu: number | undefined, vlanFiltering: boolean, action: string) =>
    changeLink(
      {
        index: link.index,
        flags,
        change: flagsOf(settings),
        ...(mtu !== undefined && { mtu }),
        ...(filtering && { kind: "bridge", data: encodeBridge({ vlanFiltering }) }),
      },
      `${action} bridge ${JSON.stringify(link.name)}`,
    );
  undo.push(`settings of bridge ${JSON.stringify(link.name)}`, () =>
    ifUnused(host, link, () => {
      host.call(request(link.flags ?? 0, raised === undefined ? undefined : link.mtu, false, "restore"));
    }),
  );
  const error = host.callAll([request(flags, raised, true, "set up")])[0]?.error;
  if (error !== undefined) {
    const message = error.message + missingVlans(error, settings);
    throw new CniError(code.internal, message, "", { cause: error });
  }
  return raised === undefined ? link : { ...link, mtu: raised };
}

/** The end of an error message when the kernel may be built without VLAN filtering. */
const missingVlans = (error: NetlinkError, settings: BridgeSettings): string =>
  wantsVlanFiltering(settings) && refusedWith(error, "EOPNOTSUPP")
    ? "; this kernel is built without VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING): use another kernel, or a bridge for each network instead of vlan and vlanTrunk"
    : "";

/**
 * Whether VLAN filtering has to be turned on.
 * @throws CniError if the bridge has ports, which could lose frames by it (G22).
 */
function needsVlanFiltering(host: Connection, link: PresentLink, settings: BridgeSettings): boolean {
  if (!wantsVlanFiltering(settings) || decodeBridge(link.data ?? new Uint8Array()).vlanFiltering === true)
    return false;
  const ports = portsOf(host, link).map(({ name }) => name);
  if (ports.length === 0) return true;
  throw new CniError(
    code.invalidConfig,
    `bridge ${JSON.stringify(link.name)} exists without VLAN filtering and has ${ports.length} ports (${ports.slice(0, 4).join(", ")}): VLANs would not separate anything; use another bridge, or turn it on with: ip link set ${link.name} type bridge vlan_filtering 1`,
  );
}

/** ETH_MAX_MTU of uapi linux/if_ether.h. */
const LARGEST_MTU = 65535;

/**
 * Pins the mtu of a bridge. Until an mtu is set, the kernel gives a bridge the smallest mtu of its ports, so one network
 * would shrink the packets of all others on it (K20). The kernel ignores a new mtu that equals the present one.
 */
function keepMtu(host: Connection, { index, name, mtu = 0 }: PresentLink, ofPort: number): void {
  if (mtu <= ofPort || !portsOf(host, { index }).some((port) => port.mtu > ofPort)) return;
  const action = `keep the mtu of bridge ${JSON.stringify(name)}`;
  const other = mtu < LARGEST_MTU ? mtu + 1 : mtu - 1;
  for (const value of [other, mtu]) host.call(changeLink({ index, mtu: value }, action));
}

/** Logs what a new port with another mtu means for the bridge and the container. */
export function reportMtu(before: Link, after: PresentLink, port: Link, log: (line: string) => void): void {
  const [old = 0, now = 0, own = 0] = [before.mtu, after.mtu, port.mtu];
  const name = JSON.stringify(after.name);
  const remedy = "give all networks of a bridge the same mtu, or this one a bridge of its own";
  if (now > own) {
    log(
      `bridge ${name} has mtu ${now} and keeps it, but the container gets ${own}: longer packets from the host to it, ` +
        `other than TCP, are lost; ${remedy}`,
    );
  } else if (now < old)
    log(`the mtu of bridge ${name} goes from ${old} to ${now}, the smallest of its ports; ${remedy}`);
}

/**
 * Calls `takeBack` unless the bridge has ports by now, or another ADD is about to add one. An ADD holds the namespace's
 * lock from finding the bridge until its port exists.
 */
function ifUnused(host: Connection, { index }: PresentLink, takeBack: () => void): void {
  using lock = claimNetns();
  if (lock === undefined || findLink(host, { index })?.kind !== "bridge") return;
  if (portsOf(host, { index }).length === 0) takeBack();
}

/** Undo of a port: restores the MAC of a bridge that lost it with its last port, since it had none set (G7, G21). */
export function giveMacBack(host: Connection, link: PresentLink): void {
  const now = findLink(host, { index: link.index });
  if (now?.mac !== undefined && formatMac(now.mac) === NO_MAC) pinMac(host, link);
}
