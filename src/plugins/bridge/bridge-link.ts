/** The bridge itself: made when absent, taken over when there (rules B1, B10–B12, G21, G22). */
import { CniError, code } from "../../cni/error.ts";
import type { UndoStack } from "../../cni/undo.ts";
import { isZeroMac, sameMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { type NetlinkError, refusedWith } from "../../netlink/error.ts";
import { decodeBridge, encodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import {
  addLink,
  changeLink,
  deleteLink,
  getLink,
  interfaceFlag,
  type Link,
  linkOf,
} from "../../netlink/rtnetlink/link.ts";
import { claimNetns } from "../../sys/netns-lock.ts";
import { keepMtu, needsMtu } from "./bridge-mtu.ts";
import { type BridgeConfig, wantsVlanFiltering } from "./config.ts";
import { portsOf } from "./ports.ts";
import { randomMac } from "./random-mac.ts";
import { refuseRouters } from "./router-advertisements.ts";

/** A link that the kernel has: with index and name. */
export type PresentLink = Link & { index: number; name: string };

/** The link of that name or index, or undefined. */
export function findLink(
  connection: Connection,
  wanted: string | { readonly index: number },
): PresentLink | undefined {
  const [outcome] = connection.askAll([getLink(typeof wanted === "string" ? { name: wanted } : wanted)]);
  // ERANGE: longer than any interface's name. What can't exist is not there.
  if (refusedWith(outcome?.error, "ENODEV", "ERANGE")) return undefined;
  if (outcome?.error !== undefined) throw outcome.error;
  const link = linkOf(outcome?.replies ?? []);
  return link !== undefined && isPresent(link) ? link : undefined;
}

const isPresent = (link: Link): link is PresentLink => link.index !== undefined && link.name !== undefined;

/**
 * Asks the kernel to make a link, which has a MAC of its own, and returns its refusal. When the answer is lost, `undo`
 * does `takeBack` if the kernel has made the link after all: the MAC tells it from another of that name, and having no
 * alias yet from one that an earlier ADD of the same attachment has made.
 * @throws UnansweredError
 */
export function makeLink(
  host: Connection,
  link: Link & { name: string; mac: Uint8Array },
  undo: UndoStack,
  takeBack: () => void,
): NetlinkError | undefined {
  try {
    const [outcome] = host.callAll([addLink(link)]);
    return outcome?.error;
  } catch (error) {
    undo.push(`${link.kind} ${JSON.stringify(link.name)}, which may be there`, () => {
      const found = findLink(host, link.name);
      if (found?.mac !== undefined && found.alias === undefined && sameMac(found.mac, link.mac)) takeBack();
    });
    throw error;
  }
}

/** Deletes a link; one that is gone is success (rule A29). */
export function removeLink(connection: Connection, link: { name: string } | { index: number }): void {
  // A found link has far more fields than a request to delete may carry.
  const named = "index" in link ? { index: link.index } : { name: link.name };
  const [outcome] = connection.callAll([deleteLink(named)]);
  if (outcome?.error !== undefined && !refusedWith(outcome.error, "ENODEV")) throw outcome.error;
}

/** A bridge that can be used, and where it came from. */
export interface EnsuredBridge {
  readonly link: PresentLink;
  /** Whether this call made it. */
  readonly created: boolean;
}

/**
 * Makes the bridge usable for `config`. What it makes, `undo` takes away again unless others use it by then.
 * @throws CniError when something else has its name.
 */
export function ensureBridge(
  host: Connection,
  config: BridgeConfig,
  options: { undo: UndoStack; log: (line: string) => void },
): EnsuredBridge {
  const name = JSON.stringify(config.bridge);
  const existing = findLink(host, config.bridge);
  if (existing !== undefined) return { link: adopt(host, existing, config, options), created: false };
  const bridge = {
    name: config.bridge,
    kind: "bridge",
    // An address of its own keeps the bridge's MAC constant while ports come and go (G21).
    mac: randomMac(),
    ...(config.mtu !== undefined && { mtu: config.mtu }),
    ...(wantsVlanFiltering(config) && { data: encodeBridge({ vlanFiltering: true }) }),
  };
  const takeBack = () => removeUnusedBridge(host, config.bridge);
  const error = makeLink(host, bridge, options.undo, takeBack);
  const created = error === undefined;
  if (created) options.undo.push(`bridge ${name}`, takeBack);
  // Another ADD may have been faster: its bridge is as good.
  else if (!refusedWith(error, "EEXIST")) {
    throw new CniError(
      code.internal,
      `failed to create bridge ${name}: ${error.message}${missingVlans(error, config)}`,
    );
  }
  const link = findLink(host, config.bridge);
  if (link === undefined) {
    throw new CniError(
      code.tryAgainLater,
      `bridge ${name} vanished while it was being set up: another program deletes it`,
    );
  }
  return { link: adopt(host, link, config, options), created };
}

/** Checks a bridge and brings it to what `config` wants, changing only what differs, all at once. */
function adopt(
  host: Connection,
  link: PresentLink,
  config: BridgeConfig,
  options: { undo: UndoStack; log: (line: string) => void },
): PresentLink {
  requireBridge(link);
  const filtering = needsVlanFiltering(host, link, config);
  const flags = interfaceFlag.up | (config.promiscMode ? interfaceFlag.promisc : 0);
  const mtu = needsMtu(host, link, config) ? config.mtu : undefined;
  keepMtu(host, link, config);
  refuseRouters(host, link, options.log);
  if (((link.flags ?? 0) & flags) === flags && mtu === undefined && !filtering) return link;
  const change = {
    index: link.index,
    flags,
    change: flags,
    ...(mtu !== undefined && { mtu }),
    ...(filtering && { kind: "bridge", data: encodeBridge({ vlanFiltering: true }) }),
  };
  const name = JSON.stringify(link.name);
  options.undo.push(`settings of bridge ${name}`, () => restoreUnused(host, link, change));
  const [outcome] = host.callAll([changeLink(change, `set up bridge ${name}`)]);
  if (outcome?.error !== undefined) {
    const { message } = outcome.error;
    throw new CniError(code.internal, message + missingVlans(outcome.error, config), "", {
      cause: outcome.error,
    });
  }
  return { ...link, ...(mtu !== undefined && { mtu }) };
}

/** What to add to a kernel's refusal where it may not know VLANs of bridges at all. */
const missingVlans = (error: NetlinkError, config: BridgeConfig): string =>
  wantsVlanFiltering(config) && refusedWith(error, "EOPNOTSUPP")
    ? "; this kernel is built without VLAN filtering of bridges (CONFIG_BRIDGE_VLAN_FILTERING): use another kernel, or a bridge for each network instead of vlan and vlanTrunk"
    : "";

/** @throws CniError when the link is not a bridge (rule B1). */
export function requireBridge(link: PresentLink): void {
  if (link.kind === "bridge") return;
  throw new CniError(
    code.invalidConfig,
    `${JSON.stringify(link.name)} already exists but is not a bridge: it is ${link.kind === undefined ? "a device" : `of kind ${JSON.stringify(link.kind)}`}; choose another name for "bridge" or remove the interface`,
  );
}

/**
 * Whether filtering has to be turned on, which is done where no port can lose frames by it (G22).
 * @throws CniError where one could.
 */
function needsVlanFiltering(host: Connection, link: PresentLink, config: BridgeConfig): boolean {
  if (!wantsVlanFiltering(config) || decodeBridge(link.data ?? new Uint8Array()).vlanFiltering === true)
    return false;
  const ports = portsOf(host, link).map(({ name }) => name);
  if (ports.length === 0) return true;
  throw new CniError(
    code.invalidConfig,
    `bridge ${JSON.stringify(link.name)} exists without VLAN filtering and has ${ports.length} ports (${ports.slice(0, 4).join(", ")}): VLANs would not separate anything; use another bridge, or turn it on with: ip link set ${link.name} type bridge vlan_filtering 1`,
  );
}

/**
 * The bridge as it is after a new port. One that somebody made without a MAC takes the lowest of its ports', and another
 * when ports go. What it had before is kept.
 */
export function settle(host: Connection, before: PresentLink): PresentLink {
  const bridge = findLink(host, before.name) ?? before;
  const { mac } = before;
  // Without any port it may have none at all.
  if (mac === undefined || bridge.mac === undefined || isZeroMac(mac) || sameMac(mac, bridge.mac))
    return bridge;
  pinMac(host, { ...bridge, mac });
  return { ...bridge, mac };
}

/**
 * Sets the MAC that the bridge has, or had: only one that was set stays while ports come and go (G21). Containers
 * would lose their gateway for as long as they remember the old one.
 */
export function pinMac(host: Connection, { index, name, mac }: PresentLink): void {
  if (mac !== undefined)
    host.call(changeLink({ index, mac }, `keep the MAC of bridge ${JSON.stringify(name)}`));
}

/**
 * Undo of a creation: removes the bridge unless it has ports by now, or some ADD is about to give it one. Those hold
 * the namespace's lock from looking at the bridge until their port is there.
 */
function removeUnusedBridge(host: Connection, name: string): void {
  using lock = claimNetns();
  if (lock === undefined) return;
  const bridge = findLink(host, name);
  if (bridge?.kind !== "bridge" || portsOf(host, bridge).length > 0) return;
  const [outcome] = host.callAll([deleteLink({ index: bridge.index })]);
  if (outcome?.error !== undefined && !refusedWith(outcome.error, "ENODEV")) throw outcome.error;
}

/** Undo of `change`: brings back what it changed of `before`, under the same condition as above. */
function restoreUnused(host: Connection, before: PresentLink, change: Link): void {
  using lock = claimNetns();
  const bridge = lock === undefined ? undefined : findLink(host, before.name);
  if (bridge?.index !== before.index || portsOf(host, bridge).length > 0) return;
  const settings = {
    index: before.index,
    flags: before.flags ?? 0,
    change: change.change ?? 0,
    ...(change.mtu !== undefined && before.mtu !== undefined && { mtu: before.mtu }),
    ...(change.data !== undefined && { kind: "bridge", data: encodeBridge({ vlanFiltering: false }) }),
  };
  host.call(changeLink(settings, `restore bridge ${JSON.stringify(before.name)}`));
}

/** Undo of a port: a bridge that somebody made without a MAC of its own has none when its last port goes (G7, G21). */
export function giveMacBack(host: Connection, link: PresentLink): void {
  const now = findLink(host, link.name);
  if (now?.index === link.index && now.mac !== undefined && isZeroMac(now.mac)) pinMac(host, link);
}
