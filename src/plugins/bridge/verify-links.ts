/** CHECK of the interfaces: the bridge, both ends of the pair, the port's settings (rules B37, G17). */
import type { Attachment } from "../../cni/attachment.ts";
import type { Interface, Result } from "../../cni/result.ts";
import { formatMac } from "../../net/mac.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import { decodeBridgePort } from "../../netlink/rtnetlink/bridge-port.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import { findLink, type PresentLink } from "./bridge-link.ts";
import { type BridgeConfig, wantsVlanFiltering } from "./config.ts";
import type { Losses } from "./lost.ts";
import { verifyPortVlans, verifyVlanGateway } from "./verify-vlans.ts";
import { attachmentAlias, isAttachmentAlias } from "./veth-identity.ts";

/** What CHECK compares the interfaces with, and where it notes what differs. */
export interface Expectation {
  readonly host: Connection;
  readonly container: Connection;
  readonly config: BridgeConfig;
  readonly attachment: Attachment;
  /** The CNI_NETNS string. */
  readonly netns: string;
  readonly result: Result;
  readonly losses: Losses;
}

/** The interfaces that are there and what they should be, for the checks that come after. */
export interface VerifiedLinks {
  readonly container: PresentLink | undefined;
  readonly port: PresentLink | undefined;
  /** The interface that has the gateway addresses: the bridge, or the VLAN's. */
  readonly gateway: PresentLink | undefined;
}

/** Finds all interfaces and compares them with the configuration and the result. */
export function verifyLinks(expected: Expectation): VerifiedLinks {
  const bridge = verifyBridge(expected);
  const container = verifyContainerEnd(expected);
  const port = container && verifyHostEnd(expected, bridge, container);
  const { config } = expected;
  const hasVlanGateway = config.vlan !== 0 && config.isGateway && config.ipam !== undefined;
  const gateway = hasVlanGateway && bridge !== undefined ? verifyVlanGateway(expected, bridge) : bridge;
  return { container, port, gateway };
}

function verifyBridge({ host, config, result, losses }: Expectation): PresentLink | undefined {
  const bridge = findLink(host, config.bridge);
  if (bridge === undefined) {
    losses.report(`CNI created bridge ${config.bridge} in host namespace was not found`);
    return undefined;
  }
  if (bridge.kind !== "bridge") {
    const kind = bridge.kind ?? "a device";
    losses.report(`Interface ${config.bridge} does not have link type of bridge: it is ${kind}`);
    return undefined;
  }
  const reported = result.interfaces.find(
    ({ name, sandbox }) => name === config.bridge && sandbox === undefined,
  );
  // The MAC of a bridge that the Go plugins or people made follows its ports; no container needs it but of a gateway.
  if (config.isGateway)
    verifyMac(losses, bridge, reported, `Bridge interface ${config.bridge} Mac doesn't match`);
  losses.verifyUp(bridge, "bridge");
  if (config.promiscMode && ((bridge.flags ?? 0) & interfaceFlag.promisc) === 0) {
    losses.report(
      `Bridge interface ${config.bridge} configured Promisc Mode true doesn't match current state: false`,
    );
  }
  if (wantsVlanFiltering(config) && decodeBridge(bridge.data ?? new Uint8Array()).vlanFiltering !== true) {
    losses.report(`bridge ${config.bridge} does not filter by VLAN any more`);
  }
  return bridge;
}

function verifyContainerEnd(expected: Expectation): PresentLink | undefined {
  const { container, attachment, netns, config, result, losses } = expected;
  const { ifname } = attachment;
  const reported = result.interfaces.find(({ name, sandbox }) => name === ifname && sandbox === netns);
  if (reported === undefined && result.interfaces.length > 0) {
    const other = result.interfaces.find(({ name }) => name === ifname);
    losses.report(
      other === undefined
        ? `Interface ${ifname} is missing in prevResult`
        : `Sandbox in prevResult ${other.sandbox ?? "(none)"} doesn't match configured netns: ${netns}`,
    );
  }
  const link = findLink(container, ifname);
  if (link === undefined) {
    losses.report(`CNI created interface in container ${ifname} not found in ${netns}`);
    return undefined;
  }
  if (link.kind !== "veth") {
    losses.report(`Error: Container interface ${ifname} not of type veth: it is ${link.kind ?? "a device"}`);
    return undefined;
  }
  verifyMac(losses, link, reported, `Interface ${ifname} Mac doesn't match container Mac`);
  // Not the mtu: tuning sets another on this end and leaves the one in the result as it was (rule A32).
  if (!config.disableContainerInterface) losses.verifyUp(link, "container interface");
  return link;
}

function verifyHostEnd(
  expected: Expectation,
  bridge: PresentLink | undefined,
  container: PresentLink,
): PresentLink | undefined {
  const { host, config, result, losses } = expected;
  const reported = result.interfaces.filter(
    ({ name, sandbox }) => sandbox === undefined && name !== config.bridge,
  );
  const port = findHostEnd(expected, container, reported);
  if (port === undefined) {
    const names = reported.map(({ name }) => name).join(", ");
    const problem =
      names === ""
        ? "prevResult has no interface on the host beside the bridge"
        : `${names} is not the other end of ${container.name}, and nothing else is`;
    losses.report(`CNI veth created for bridge ${config.bridge} was not found: ${problem}`);
    return undefined;
  }
  if (bridge !== undefined && port.master !== bridge.index) {
    losses.report(
      `host interface ${port.name} is not a port of bridge ${config.bridge}: its master is ${port.master === undefined ? "none" : `the link with index ${port.master}`}`,
    );
  }
  const its = reported.find(({ name }) => name === port.name);
  verifyMac(losses, port, its, `Interface ${port.name} Mac doesn't match`);
  // More than was asked for takes all frames that what was asked for takes.
  if (config.mtu !== undefined && port.mtu !== undefined && port.mtu < config.mtu)
    losses.report(`interface ${port.name} has mtu ${port.mtu} instead of ${config.mtu}`);
  losses.verifyUp(port, "host interface");
  // Without a bridge it has none of the settings of a port.
  if (port.master === undefined) return port;
  const settings = decodeBridgePort(port.portData ?? new Uint8Array());
  for (const [setting, wanted, found] of [
    ["hairpin mode", config.hairpinMode, settings.hairpin],
    ["port isolation", config.portIsolation, settings.isolated],
  ] as const) {
    // Others switch them on where the configuration did not ask, as kube-router and the kubelet do.
    if (wanted && found !== true)
      losses.report(`${setting} of bridge port ${port.name} is off, the configuration wants it on`);
  }
  if (wantsVlanFiltering(config))
    verifyPortVlans(host, port, { ...config, trunk: config.trunk ?? [] }, losses);
  return port;
}

/** The host's end is whatever the container's end is connected to; its name may have changed. */
function findHostEnd(
  { host, attachment }: Expectation,
  container: PresentLink,
  reported: readonly Interface[],
): PresentLink | undefined {
  const isOtherEnd = (link: PresentLink | undefined): link is PresentLink =>
    link !== undefined && link.index === container.peerIndex && link.peerIndex === container.index;
  const named = reported.map(({ name }) => findLink(host, name)).find(isOtherEnd);
  if (named !== undefined || reported.length === 0 || container.peerIndex === undefined) return named;
  const renamed = findLink(host, { index: container.peerIndex });
  // Indexes of another namespace may look the same: that end is in one, and the link here is another attachment's.
  const isOthers = isAttachmentAlias(renamed?.alias) && renamed?.alias !== attachmentAlias(attachment);
  return isOtherEnd(renamed) && renamed.kind === "veth" && !isOthers ? renamed : undefined;
}

function verifyMac(
  losses: Losses,
  link: PresentLink,
  reported: Interface | undefined,
  message: string,
): void {
  const mac = formatMac(link.mac ?? new Uint8Array());
  if (reported?.mac !== undefined && reported.mac.toLowerCase() !== mac)
    losses.report(`${message}: ${reported.mac} was reported, ${mac} is there`);
}
