/** The bridge itself: made when absent, taken over when there (rules B1, B10–B12, G21, G22). */
import { CniError, code } from "../../cni/error.ts";
import type { UndoStack } from "../../cni/undo.ts";
import { randomMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { decodeBridge, encodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import {
  addLink,
  changeLink,
  decodeLink,
  deleteLink,
  dumpLinks,
  getLink,
  interfaceFlag,
  type Link,
  linkOf,
} from "../../netlink/rtnetlink/link.ts";
import { NetnsLock } from "../../sys/netns-lock.ts";
import { type BridgeConfig, wantsVlanFiltering } from "./config.ts";
import { trySysctl } from "./sysctl.ts";

/** A link that the kernel has: with index and name. */
export type PresentLink = Link & { index: number; name: string };

/** The link of that name, or undefined. */
export function findLink(connection: Connection, name: string): PresentLink | undefined {
  const [outcome] = connection.callAll([getLink({ name })]);
  if (refusedWith(outcome?.error, "ENODEV")) return undefined;
  if (outcome?.error !== undefined) throw outcome.error;
  const link = linkOf(outcome?.replies ?? []);
  return link?.index === undefined || link.name === undefined
    ? undefined
    : { ...link, index: link.index, name: link.name };
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
  if (existing !== undefined) return { link: adopt(host, existing, config, options.log), created: false };
  const [outcome] = host.callAll([
    addLink({
      name: config.bridge,
      kind: "bridge",
      // An address of its own keeps the bridge's MAC constant while ports come and go (G21).
      mac: randomMac(),
      ...(config.mtu !== undefined && { mtu: config.mtu }),
      ...(wantsVlanFiltering(config) && { data: encodeBridge({ vlanFiltering: true }) }),
    }),
  ]);
  const created = outcome?.error === undefined;
  if (created) options.undo.push(`bridge ${name}`, () => removeUnusedBridge(host, config.bridge));
  // Another ADD may have been faster: its bridge is as good.
  else if (!refusedWith(outcome.error, "EEXIST")) {
    throw new CniError(code.internal, `failed to create bridge ${name}: ${outcome.error?.message}`);
  }
  const link = findLink(host, config.bridge);
  if (link === undefined) {
    throw new CniError(
      code.tryAgainLater,
      `bridge ${name} vanished while it was being set up: another program deletes it`,
    );
  }
  return { link: adopt(host, link, config, options.log), created };
}

/** Checks a bridge and brings it to what `config` wants, changing only what differs. */
function adopt(
  host: Connection,
  link: PresentLink,
  config: BridgeConfig,
  log: (line: string) => void,
): PresentLink {
  requireBridge(link);
  ensureVlanFiltering(host, link, config);
  trySysctl(["net", "ipv6", "conf", link.name, "accept_ra"], "0", log);
  const wanted = interfaceFlag.up | (config.promiscMode ? interfaceFlag.promisc : 0);
  if (((link.flags ?? 0) & wanted) !== wanted) {
    host.call(
      changeLink(
        { index: link.index, flags: wanted, change: wanted },
        `set bridge ${JSON.stringify(link.name)} up`,
      ),
    );
  }
  if (
    config.mtu !== undefined &&
    link.mtu !== undefined &&
    config.mtu > link.mtu &&
    portsOf(host, link).length === 0
  ) {
    host.call(
      changeLink(
        { index: link.index, mtu: config.mtu },
        `set the mtu of bridge ${JSON.stringify(link.name)}`,
      ),
    );
    return { ...link, mtu: config.mtu };
  }
  return link;
}

/** @throws CniError when the link is no bridge (rule B1). */
export function requireBridge(link: PresentLink): void {
  if (link.kind === "bridge") return;
  throw new CniError(
    code.invalidConfig,
    `${JSON.stringify(link.name)} already exists but is not a bridge: it is ${link.kind === undefined ? "a device" : `of kind ${JSON.stringify(link.kind)}`}; choose another name for "bridge" or remove the interface`,
  );
}

/** Turns filtering on where no port can lose frames by it (G22). */
function ensureVlanFiltering(host: Connection, link: PresentLink, config: BridgeConfig): void {
  if (!wantsVlanFiltering(config) || decodeBridge(link.data ?? new Uint8Array()).vlanFiltering === true)
    return;
  const ports = portsOf(host, link);
  const name = JSON.stringify(link.name);
  if (ports.length > 0) {
    throw new CniError(
      code.invalidConfig,
      `bridge ${name} exists without VLAN filtering and has ${ports.length} ports (${ports
        .slice(0, 4)
        .map((port) => port.name)
        .join(
          ", ",
        )}): VLANs would not separate anything; use another bridge, or turn it on with: ip link set ${link.name} type bridge vlan_filtering 1`,
    );
  }
  const data = encodeBridge({ vlanFiltering: true });
  host.call(
    changeLink({ index: link.index, kind: "bridge", data }, `turn on VLAN filtering of bridge ${name}`),
  );
}

/** The bridge's ports. */
export const portsOf = (host: Connection, bridge: { index: number }): Link[] =>
  host
    .dump(dumpLinks({ master: bridge.index }))
    .map((message) => decodeLink(message.payload))
    // Kernels without the filter send all links.
    .filter((link) => link.master === bridge.index);

/**
 * Undo of a creation: removes the bridge unless it has ports by now, or some ADD is about to give it one. Those hold
 * the namespace's lock from looking at the bridge until their port is there.
 */
function removeUnusedBridge(host: Connection, name: string): void {
  using lock = NetnsLock.tryExclusive();
  if (lock === undefined) return;
  const bridge = findLink(host, name);
  if (bridge?.kind !== "bridge" || portsOf(host, bridge).length > 0) return;
  const [outcome] = host.callAll([deleteLink({ index: bridge.index })]);
  if (outcome?.error !== undefined && !refusedWith(outcome.error, "ENODEV")) throw outcome.error;
}
