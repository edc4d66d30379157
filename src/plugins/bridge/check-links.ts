/** CHECK of the bridge, both ends of the pair, and the port's settings and VLANs (rules B15, B24, B37, G17). */
import type { Request } from "../../cni/plugin.ts";
import type { Interface, Result } from "../../cni/result.ts";
import { wantsVlanFiltering } from "../../links/bridge.ts";
import { findLink, type PresentLink } from "../../links/link.ts";
import { attachmentAlias, isAttachmentAlias } from "../../links/veth-identity.ts";
import type { Connection } from "../../netlink/connection.ts";
import { decodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import { decodeBridgePort } from "../../netlink/rtnetlink/bridge-port.ts";
import { interfaceFlag } from "../../netlink/rtnetlink/link.ts";
import type { BridgeConfig } from "./config.ts";
import type { Mismatches } from "./mismatches.ts";

/** The expected state, the connections to read the present one, and the mismatches found so far. */
export interface Expectation {
  readonly request: Request;
  readonly config: BridgeConfig;
  readonly result: Result;
  readonly host: Connection;
  readonly container: Connection;
  readonly mismatches: Mismatches;
}

/** The interfaces that exist and are of the right kind, for the later checks. */
export interface VerifiedLinks {
  readonly container: PresentLink | undefined;
  readonly port: PresentLink | undefined;
  /** The interface that has the gateway addresses: the bridge, or the VLAN's. */
  readonly gateway: PresentLink | undefined;
}

/** Finds all interfaces and compares them with the configuration and the result. */
export async function verifyLinks(expected: Expectation): Promise<VerifiedLinks> {
  const { config, host, mismatches } = expected;
  const bridge = verifyBridge(expected);
  const container = verifyContainerEnd(expected);
  const port = container && verifyHostEnd(expected, bridge, container);
  if (!wantsVlanFiltering(config)) return { container, port, gateway: bridge };
  const vlans = await import("./check-vlans.ts");
  // A link has settings of a port only while it has a master.
  if (port?.master !== undefined)
    vlans.verifyPortVlans(host, port, `bridge port ${port.name}`, config, mismatches);
  const hasVlanGateway =
    config.vlan !== 0 && config.isGateway && config.ipam !== undefined && bridge !== undefined;
  const gateway = hasVlanGateway ? vlans.verifyVlanGateway(host, bridge, config, mismatches) : bridge;
  return { container, port, gateway };
}

function verifyBridge({ host, config, result, mismatches }: Expectation): PresentLink | undefined {
  const { bridge: name } = config;
  const bridge = findLink(host, name);
  if (bridge === undefined) {
    mismatches.report(`CNI created bridge ${name} in host namespace was not found`);
    return undefined;
  }
  if (bridge.kind !== "bridge") {
    mismatches.report(
      `Interface ${name} does not have link type of bridge: it is ${bridge.kind ?? "a device"}`,
    );
    return undefined;
  }
  const reported = result.interfaces.find((each) => each.name === name && each.sandbox === undefined);
  // The MAC of a bridge that the Go plugins or a person made changes with its ports. Only a gateway's MAC matters.
  if (config.isGateway) mismatches.verifyMac(bridge, reported, `Bridge interface ${name} Mac doesn't match`);
  mismatches.verifyUp(bridge, "bridge");
  if (config.promiscMode && ((bridge.flags ?? 0) & interfaceFlag.promisc) === 0)
    mismatches.report(
      `Bridge interface ${name} configured Promisc Mode true doesn't match current state: false`,
    );
  if (wantsVlanFiltering(config) && decodeBridge(bridge.data ?? new Uint8Array()).vlanFiltering !== true)
    mismatches.report(`bridge ${name} does not filter by VLAN any more`);
  return bridge;
}

function verifyContainerEnd({
  request,
  config,
  result,
  container,
  mismatches,
}: Expectation): PresentLink | undefined {
  const { ifname, netns } = request;
  const named = result.interfaces.filter(({ name }) => name === ifname);
  const reported = named.find(({ sandbox }) => sandbox === netns);
  if (reported === undefined && result.interfaces.length > 0) {
    mismatches.report(
      named[0] === undefined
        ? `Interface ${ifname} is missing in prevResult`
        : `Sandbox in prevResult ${named[0].sandbox ?? "(none)"} doesn't match configured netns: ${netns}`,
    );
  }
  const link = findLink(container, ifname);
  if (link === undefined) {
    mismatches.report(`CNI created interface in container ${ifname} not found in ${netns}`);
    return undefined;
  }
  if (link.kind !== "veth") {
    mismatches.report(
      `Error: Container interface ${ifname} not of type veth: it is ${link.kind ?? "a device"}`,
    );
    return undefined;
  }
  mismatches.verifyMac(link, reported, `Interface ${ifname} Mac doesn't match container Mac`);
  // Not the mtu: the tuning plugin changes it on this end but not in the result (rule A32).
  if (!config.disableContainerInterface) mismatches.verifyUp(link, "container interface");
  return link;
}

function verifyHostEnd(
  { request, config, result, host, mismatches }: Expectation,
  bridge: PresentLink | undefined,
  container: PresentLink,
): PresentLink | undefined {
  const reported = result.interfaces.filter(
    ({ name, sandbox }) => sandbox === undefined && name !== config.bridge,
  );
  const port = findHostEnd(host, request, container, reported);
  if (port === undefined) {
    const names = reported.map(({ name }) => name).join(", ");
    const problem =
      names === ""
        ? "prevResult has no interface on the host besides the bridge"
        : `${names} is not the other end of ${container.name}, and nothing else is`;
    mismatches.report(`CNI veth created for bridge ${config.bridge} was not found: ${problem}`);
    return undefined;
  }
  const { name, master, mtu, portData } = port;
  if (bridge !== undefined && master !== bridge.index) {
    mismatches.report(
      `host interface ${name} is not a port of bridge ${config.bridge}: its master is ${master === undefined ? "none" : `the link with index ${master}`}`,
    );
  }
  const own = reported.find((each) => each.name === name);
  mismatches.verifyMac(port, own, `Interface ${name} Mac doesn't match`);
  // A larger mtu than configured does no harm.
  if (config.mtu !== undefined && mtu !== undefined && mtu < config.mtu)
    mismatches.report(`interface ${name} has mtu ${mtu} instead of ${config.mtu}`);
  mismatches.verifyUp(port, "host interface");
  if (master === undefined) return port;
  const settings = decodeBridgePort(portData ?? new Uint8Array());
  // Other programs, such as kube-router and the kubelet, may turn on more than is configured.
  const verifyOn = (setting: string, wanted: boolean, isOn = false) => {
    if (wanted && !isOn)
      mismatches.report(`${setting} of bridge port ${name} is off, but the configuration turns it on`);
  };
  verifyOn("hairpin mode", config.hairpinMode, settings.hairpin);
  verifyOn("port isolation", config.portIsolation, settings.isolated);
  return port;
}

/** Finds the link that the container's end is connected to, even if it was renamed. */
function findHostEnd(
  host: Connection,
  request: Request,
  container: PresentLink,
  reported: readonly Interface[],
): PresentLink | undefined {
  const isOtherEnd = (link: PresentLink | undefined): link is PresentLink =>
    link !== undefined && link.index === container.peerIndex && link.peerIndex === container.index;
  const named = reported.map(({ name }) => findLink(host, name)).find(isOtherEnd);
  if (named !== undefined || reported.length === 0 || container.peerIndex === undefined) return named;
  const renamed = findLink(host, { index: container.peerIndex });
  // If the other end is in a third namespace, a link of another attachment may have the same index here.
  const isOthers = isAttachmentAlias(renamed?.alias) && renamed?.alias !== attachmentAlias(request);
  return isOtherEnd(renamed) && renamed.kind === "veth" && !isOthers ? renamed : undefined;
}
