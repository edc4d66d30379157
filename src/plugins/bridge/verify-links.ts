/** CHECK of the interfaces: the bridge, both ends of the pair, the port's settings (rules B37, G17). */
import type { Interface, Result } from "../../cni/result.ts";
import { formatMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import { decodeBridgePort } from "../../netlink/rtnetlink/bridge-port.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import type { Owner } from "./attachment.ts";
import { findLink, type PresentLink } from "./bridge-link.ts";
import { type BridgeConfig, wantsVlanFiltering } from "./config.ts";
import { lost, verifyUp } from "./lost.ts";
import { verifyPortVlans, verifyVlanGateway } from "./verify-vlans.ts";

/** What CHECK compares the interfaces with. */
export interface Expectation {
  readonly host: Connection;
  readonly container: Connection;
  readonly config: BridgeConfig;
  readonly owner: Owner;
  /** The CNI_NETNS string. */
  readonly netns: string;
  readonly result: Result;
}

/** The interfaces as they were found, for the checks that come after. */
export interface VerifiedLinks {
  readonly container: PresentLink;
  readonly port: PresentLink;
  /** The interface that has the gateway addresses: the bridge, or the VLAN's. */
  readonly gateway: PresentLink;
}

/** Finds all interfaces and compares them with the configuration and the result. @throws CniError */
export function verifyLinks(expected: Expectation): VerifiedLinks {
  const bridge = verifyBridge(expected);
  const container = verifyContainerEnd(expected);
  const port = verifyHostEnd(expected, bridge, container);
  const { config, host } = expected;
  if (config.vlan === 0 || !config.isGateway || config.ipam === undefined)
    return { container, port, gateway: bridge };
  return { container, port, gateway: verifyVlanGateway(host, bridge, config) };
}

function verifyBridge({ host, config, result }: Expectation): PresentLink {
  const bridge = findLink(host, config.bridge);
  if (bridge === undefined) throw lost(`CNI created bridge ${config.bridge} in host namespace was not found`);
  if (bridge.kind !== "bridge")
    throw lost(
      `Interface ${config.bridge} does not have link type of bridge: it is ${bridge.kind ?? "a device"}`,
    );
  const reported = result.interfaces.find(
    ({ name, sandbox }) => name === config.bridge && sandbox === undefined,
  );
  verifyMac(bridge, reported, `Bridge interface ${config.bridge} Mac doesn't match`);
  verifyUp(bridge, "bridge");
  if (config.promiscMode && ((bridge.flags ?? 0) & interfaceFlag.promisc) === 0) {
    throw lost(
      `Bridge interface ${config.bridge} configured Promisc Mode true doesn't match current state: false`,
    );
  }
  if (wantsVlanFiltering(config) && decodeBridge(bridge.data ?? new Uint8Array()).vlanFiltering !== true) {
    throw lost(`bridge ${config.bridge} does not filter by VLAN any more`);
  }
  return bridge;
}

function verifyContainerEnd({ container, owner, netns, config, result }: Expectation): PresentLink {
  const reported = result.interfaces.find(({ name, sandbox }) => name === owner.ifname && sandbox === netns);
  if (reported === undefined && result.interfaces.length > 0) {
    const other = result.interfaces.find(({ name }) => name === owner.ifname);
    if (other === undefined) throw lost(`Interface ${owner.ifname} is missing in prevResult`);
    throw lost(`Sandbox in prevResult ${other.sandbox ?? "(none)"} doesn't match configured netns: ${netns}`);
  }
  const link = findLink(container, owner.ifname);
  if (link === undefined)
    throw lost(`CNI created interface in container ${owner.ifname} not found in ${netns}`);
  if (link.kind !== "veth")
    throw lost(
      `Error: Container interface ${owner.ifname} not of type veth: it is ${link.kind ?? "a device"}`,
    );
  verifyMac(link, reported, `Interface ${owner.ifname} Mac doesn't match container Mac`);
  // Not the mtu: tuning sets another on this end and leaves the one in the result as it was (rule A32).
  if (!config.disableContainerInterface) verifyUp(link, "container interface");
  return link;
}

/** The host's end is whatever the container's end is connected to; its name may have changed. */
function verifyHostEnd(expected: Expectation, bridge: PresentLink, container: PresentLink): PresentLink {
  const { host, config, result } = expected;
  const candidates = result.interfaces.filter(
    ({ name, sandbox }) => sandbox === undefined && name !== config.bridge,
  );
  const port = candidates
    .map(({ name }) => findLink(host, name))
    .find((link) => link?.index === container.peerIndex && link?.peerIndex === container.index);
  if (port === undefined) {
    const names = candidates.map(({ name }) => name).join(", ");
    throw lost(
      `CNI veth created for bridge ${config.bridge} was not found: none of ${names} is the other end of ${container.name}`,
    );
  }
  if (port.master !== bridge.index) {
    throw lost(
      `host interface ${port.name} is no port of bridge ${config.bridge}: its master is ${port.master === undefined ? "none" : `the link with index ${port.master}`}`,
    );
  }
  verifyMac(
    port,
    candidates.find(({ name }) => name === port.name),
    `Interface ${port.name} Mac doesn't match`,
  );
  verifyMtu(port, config.mtu);
  verifyUp(port, "host interface");
  const settings = decodeBridgePort(port.portData ?? new Uint8Array());
  verifySetting(port, "hairpin mode", config.hairpinMode, settings.hairpin ?? false);
  verifySetting(port, "port isolation", config.portIsolation, settings.isolated ?? false);
  if (wantsVlanFiltering(config)) verifyPortVlans(host, port, { ...config, trunk: config.trunk ?? [] });
  return port;
}

function verifyMac(link: PresentLink, reported: Interface | undefined, message: string): void {
  const mac = formatMac(link.mac ?? new Uint8Array());
  if (reported?.mac !== undefined && reported.mac.toLowerCase() !== mac)
    throw lost(`${message}: ${reported.mac} was reported, ${mac} is there`);
}

function verifyMtu(link: PresentLink, wanted: number | undefined): void {
  if (wanted !== undefined && link.mtu !== wanted)
    throw lost(`interface ${link.name} has mtu ${link.mtu} instead of ${wanted}`);
}

function verifySetting(link: PresentLink, setting: string, wanted: boolean, found: boolean): void {
  const word = (on: boolean) => (on ? "on" : "off");
  if (wanted !== found)
    throw lost(
      `${setting} of bridge port ${link.name} is ${word(found)}, the configuration wants it ${word(wanted)}`,
    );
}
