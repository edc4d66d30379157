/**
 * Creates the gateway of a VLAN (rule B24): the interface `<bridge>.<vlan>` on the host, a veth whose other end is an access
 * port of the bridge. All containers of the VLAN share it, and parallel ADDs create it once (G20).
 */
import { CniError, code } from "../cni/error.ts";
import type { Connection } from "../netlink/connection.ts";
import { refusedWith } from "../netlink/error.ts";
import { setLinkUp } from "../netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../netlink/rtnetlink/veth.ts";
import { claimNetns } from "../sys/netns-lock.ts";
import { randomBytes } from "../sys/random.ts";
import type { Gateway } from "./gateway.ts";
import { lockHost } from "./host-lock.ts";
import { type Change, findLink, makeLink, type PresentLink, portsOf, randomMac, removeLink } from "./link.ts";
import { awaitPortUp } from "./readiness.ts";
import { trySysctl } from "./sysctl.ts";
import { carries, dumpVlans, type PortVlanPlan, setPortVlans } from "./vlan.ts";

/** Name of the gateway interface. */
export const vlanGatewayName = (bridge: { readonly name: string }, vlan: number): string =>
  `${bridge.name}.${vlan}`;

/**
 * Creates the interface, or completes one that another ADD is creating: each step may be done twice. `undo` removes what was
 * created unless others use it by then. `port` is the container's, which must have its VLANs: they show other ADDs that the
 * VLAN is in use.
 * @throws CniError if another kind of interface has its name.
 */
export function ensureVlanGateway(
  change: Change,
  bridge: PresentLink,
  plan: PortVlanPlan,
  port: PresentLink,
): Gateway {
  const { host, log } = change;
  const name = vlanGatewayName(bridge, plan.vlan);
  // Under the lock no undo of another ADD can remove the interface once it is found.
  using _lock = lockHost(log);
  const existing = findLink(host, name);
  const isUsed = (end: PresentLink) => isShared(host, bridge, [end.index, port.index], plan.vlan);
  const created = existing === undefined && addPair(change, bridge, name, isUsed);
  const link = existing ?? findLink(host, name);
  if (link === undefined)
    throw new CniError(
      code.tryAgainLater,
      `interface ${JSON.stringify(name)} vanished while it was being set up: another program deletes it`,
    );
  const end = otherEnd(host, link, bridge);
  if (end === undefined)
    throw new CniError(
      code.invalidConfig,
      `interface ${JSON.stringify(name)} exists but is not the VLAN gateway of bridge ${JSON.stringify(bridge.name)}: it is not a veth whose other end is on that bridge; remove or rename it`,
    );
  const preserveDefaultVlan = plan.preserveDefaultVlan || !created;
  setPortVlans(host, bridge, end, { vlan: plan.vlan, preserveDefaultVlan });
  for (const { index, name } of [end, link]) {
    // Before it comes up, so that no container can give the host routes by router advertisements.
    trySysctl(["net", "ipv6", "conf", name, "accept_ra"], "0", log);
    host.call(setLinkUp(index, true, name));
  }
  // So that the announcement of its addresses reaches containers with a neighbour entry for an earlier gateway.
  if (created) awaitPortUp(host, end);
  return { link, isShared: () => isUsed(end) };
}

/** Creates the pair; false if another ADD has created it in the meantime. */
function addPair(
  change: Change,
  bridge: PresentLink,
  name: string,
  isUsed: (end: PresentLink) => boolean,
): boolean {
  const { host } = change;
  // Frames that the bridge forwards must fit through.
  const mtu = bridge.mtu === undefined ? {} : { mtu: bridge.mtu };
  const data = encodeVethPeer({ name, mac: randomMac(), ...mtu });
  for (;;) {
    const port = { name: `veth${randomBytes(4).toHex()}`, kind: "veth", mac: randomMac(), data, ...mtu };
    const { error } = makeLink(change, { ...port, master: bridge.index }, (end) => {
      // An ADD whose port has the VLAN by now uses the gateway or is about to look for it.
      using lock = claimNetns();
      if (lock !== undefined && !isUsed(end)) removeLink(host, end);
    });
    if (error === undefined) return true;
    if (!refusedWith(error, "EEXIST")) {
      throw new CniError(
        code.internal,
        `failed to create vlan gateway ${JSON.stringify(name)}: ${error.message}`,
      );
    }
    // EEXIST may be about the name of either end.
    if (findLink(host, name) !== undefined) return false;
  }
}

/** The port of `bridge` that is the other end of `link`, or undefined. */
export function otherEnd(
  host: Connection,
  link: PresentLink,
  bridge: { readonly index: number },
): PresentLink | undefined {
  // The index of a peer in another namespace has no meaning here.
  if (link.kind !== "veth" || link.peerIndex === undefined || link.linkNetnsId !== undefined)
    return undefined;
  const end = findLink(host, { index: link.peerIndex });
  return end?.master === bridge.index ? end : undefined;
}

/** Whether another port of the bridge than those with the indices `own` carries the VLAN. */
function isShared(host: Connection, bridge: PresentLink, own: readonly number[], vlan: number): boolean {
  const carrying = new Set(
    dumpVlans(host, (index, vlans) => (carries(vlans, vlan) === undefined ? undefined : index)),
  );
  return portsOf(host, bridge).some(({ index }) => !own.includes(index) && carrying.has(index));
}
