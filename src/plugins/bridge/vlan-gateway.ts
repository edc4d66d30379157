/**
 * The gateway of a VLAN (rule B24): the interface `<bridge>.<vlan>` on the host, a veth whose other end is an access
 * port of the bridge. Shared by all containers of the VLAN; whoever comes first makes it, also in parallel (G20).
 */
import { CniError, code } from "../../cni/error.ts";
import { randomMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { refusedWith } from "../../netlink/error.ts";
import { addLink, getLink, linkOf, setLinkUp } from "../../netlink/rtnetlink/link.ts";
import { encodeVethPeer } from "../../netlink/rtnetlink/veth.ts";
import { randomVethName } from "./attachment.ts";
import { findLink, type PresentLink } from "./bridge-link.ts";
import type { BridgeConfig } from "./config.ts";
import { trySysctl } from "./sysctl.ts";
import { setPortVlans } from "./vlan.ts";

/** The gateway interface's name. */
export const vlanGatewayName = (config: BridgeConfig): string => `${config.bridge}.${config.vlan}`;

/** Makes the interface, or completes one that another ADD is just making: each step may be done twice. */
export function ensureVlanGateway(
  host: Connection,
  bridge: PresentLink,
  config: BridgeConfig,
  log: (line: string) => void,
): { link: PresentLink; created: boolean } {
  const name = vlanGatewayName(config);
  const existing = findLink(host, name);
  const created = existing === undefined && addPair(host, bridge, config, name);
  const link = existing ?? findLink(host, name);
  if (link === undefined)
    throw new CniError(
      code.tryAgainLater,
      `interface ${JSON.stringify(name)} vanished while it was being set up: another program deletes it`,
    );
  const port = portOf(host, link, bridge);
  setPortVlans(host, bridge, port, {
    vlan: config.vlan,
    trunk: [],
    preserveDefaultVlan: config.preserveDefaultVlan || !created,
  });
  trySysctl(["net", "ipv6", "conf", port.name, "accept_ra"], "0", log);
  for (const end of [port, link]) host.call(setLinkUp(end.index, true, end.name));
  return { link, created };
}

/** Whether this call made the pair; false when another was faster. */
function addPair(host: Connection, bridge: PresentLink, config: BridgeConfig, name: string): boolean {
  const mtu = config.mtu === undefined ? {} : { mtu: config.mtu };
  const data = encodeVethPeer({ name, mac: randomMac(), ...mtu });
  for (;;) {
    const port = {
      name: randomVethName(),
      kind: "veth",
      mac: randomMac(),
      master: bridge.index,
      data,
      ...mtu,
    };
    const [outcome] = host.callAll([addLink(port)]);
    if (outcome?.error === undefined) return true;
    if (!refusedWith(outcome.error, "EEXIST")) {
      throw new CniError(
        code.internal,
        `failed to create vlan gateway ${JSON.stringify(name)}: ${outcome.error.message}`,
      );
    }
    // Either name may be the one that is taken.
    if (findLink(host, name) !== undefined) return false;
  }
}

/** The other end, which must be a port of the bridge. */
function portOf(host: Connection, link: PresentLink, bridge: PresentLink): PresentLink {
  const peer =
    link.kind === "veth" && link.peerIndex !== undefined
      ? linkOf(host.call(getLink({ index: link.peerIndex })))
      : undefined;
  if (peer?.index !== undefined && peer.name !== undefined && peer.master === bridge.index) {
    return { ...peer, index: peer.index, name: peer.name };
  }
  throw new CniError(
    code.invalidConfig,
    `interface ${JSON.stringify(link.name)} exists but is not the VLAN gateway of bridge ${JSON.stringify(bridge.name)}: it is no veth with its other end on that bridge; remove or rename it`,
  );
}
