/** ADD: from nothing to a container with its network; on failure back to nothing (rules B10–B32, G7, G10, G11). */
import { delegateAdd, delegateDel, isInThisProcess } from "../../cni/delegate.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { emptyResult, type Interface, type IpConfig, type Result } from "../../cni/result.ts";
import { reduceTo } from "../../cni/result-version.ts";
import { UndoStack } from "../../cni/undo.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import { formatMac } from "../../net/mac.ts";
import { formatPrefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { FORWARDING } from "../../netlink/rtnetlink/bridge-port.ts";
import { setLinkUp } from "../../netlink/rtnetlink/link.ts";
import type { Netns } from "../../sys/netns.ts";
import { connect, connectInside, openNetns } from "../namespaces.ts";
import type { AddressUsers } from "./address-users.ts";
import { planAddressing } from "./addressing.ts";
import { ensureBridge, giveMacBack, type PresentLink, removeLink, settle } from "./bridge-link.ts";
import { reportMtu } from "./bridge-mtu.ts";
import { type BridgeConfig, parseBridgeConfig } from "./config.ts";
import { announce, configureContainerInterface } from "./container-interface.ts";
import { requireFeasibleConfiguration, requireFeasibleResult } from "./feasibility.ts";
import { ensureGatewayAddresses, forgetNeighbours, isForwarding } from "./gateway.ts";
import { lockHost } from "./host-lock.ts";
import { linkNameProblem } from "./link-name.ts";
import { portsOf } from "./ports.ts";
import { awaitAddressesSettled, awaitPortUp, portState } from "./readiness.ts";
import { addVethPair, setUpHostEnd, type VethPair } from "./veth.ts";
import { hostVethName } from "./veth-identity.ts";

/** What the steps of one ADD share. */
interface Addition {
  readonly request: Request;
  readonly config: BridgeConfig;
  readonly netns: Netns;
  readonly host: Connection;
  readonly container: Connection;
  readonly undo: UndoStack;
}

export async function add(request: Request): Promise<Result> {
  const config = parseBridgeConfig(request);
  if (config.ipam !== undefined) requireFeasibleConfiguration(request.config.json, config);
  const problem = linkNameProblem(request.ifname);
  if (problem !== undefined) {
    throw new CniError(
      code.invalidEnvironment,
      `invalid interface name ${JSON.stringify(request.ifname)}: ${problem}`,
    );
  }
  using netns = openNetns(request.netns);
  using host = connect();
  using container = connectInside(netns);
  const undo = new UndoStack();
  try {
    return await attach({ request, config, netns, host, container, undo });
  } catch (error) {
    throw toCniError(error).afterUndo(await undo.run(request));
  }
}

async function attach(addition: Addition): Promise<Result> {
  const { request, config, netns, host, container, undo } = addition;
  const { log } = request;
  const { cniVersion, prevResult } = request.config;
  const result = emptyResult();

  const { bridge, pair } = connectToBridge(addition);
  setUpHostEnd(host, pair.host, { attachment: request, config, log });
  if (config.vlan !== 0 || config.trunk !== undefined) {
    const { setPortVlans } = await import("./vlan.ts");
    setPortVlans(host, bridge.link, pair.host, { ...config, trunk: config.trunk ?? [] });
  }
  if (config.macspoofchk) {
    const spoof = await import("../../netfilter/spoof-check.ts");
    // The port is still there when this is undone.
    undo.push("spoof check", () =>
      spoof.tearDownSpoofCheck(request, { mayTake: ({ name }) => name === pair.host.name }),
    );
    await spoof.setUpSpoofCheck(request, pair.host.name, macOf(pair.container));
  }

  result.interfaces.push(interfaceOf(bridge.link), interfaceOf(pair.host), {
    ...interfaceOf(pair.container),
    sandbox: request.netns,
  });
  if (config.ipam !== undefined) {
    await giveAddresses(addition, { ipam: config.ipam, bridge: bridge.link, pair, result });
  } else if (!config.disableContainerInterface) {
    container.call(setLinkUp(pair.container.index, true, pair.container.name));
  }

  if (!config.disableContainerInterface) {
    const port = awaitPortUp(host, pair.host);
    // Programs on the host that re-address new links have done so by now (rule B32).
    const { mac, mtu } = port;
    result.interfaces[HOST_END] = interfaceOf({ name: pair.host.name, mac, mtu });
    if (portState(port) !== FORWARDING) {
      const { awaitForwarding } = await import("./spanning-tree.ts");
      awaitForwarding(host, bridge.link, pair.host, log);
    }
    if (familiesOf(result.ips).includes(6)) awaitAddressesSettled(container, netns, pair.container);
    if (config.ipam !== undefined) announce(container, pair.container, log);
  }
  if (config.dns !== undefined) result.dns = config.dns;
  // A result that this version can't express must fail while everything can still be undone (G10).
  const whole =
    prevResult === undefined ? result : (await import("./previous.ts")).withPrevious(result, prevResult);
  const reduced = reduceTo(cniVersion, whole);
  // Last, for it can't be taken back once other containers may rely on it.
  const closed = config.isGateway ? familiesOf(result.ips).filter((family) => !isForwarding(family)) : [];
  if (closed.length > 0) {
    const { enableForwarding } = await import("./forwarding.ts");
    enableForwarding(host, closed, { undo, takeBack: bridge.created, log });
  }
  return reduced;
}

/** Places in the result's interfaces (rule B16). */
const HOST_END = 1;
const CONTAINER_END = 2;

/** The bridge, and a veth pair that is a port of it. No other ADD's undo can take the bridge away in between. */
function connectToBridge({ request, config, netns, host, container, undo }: Addition) {
  const { log } = request;
  using _lock = lockHost(log);
  const bridge = ensureBridge(host, config, { undo, log });
  if (!bridge.created) undo.push("MAC of the bridge", () => giveMacBack(host, bridge.link));
  const pair = addVethPair(host, container, {
    attachment: request,
    netns,
    bridge: bridge.link,
    config,
    undo,
  });
  const link = settle(host, bridge.link);
  reportMtu(bridge.link, link, pair.host, log);
  return { bridge: { ...bridge, link }, pair };
}

/** Layer 3: addresses from the IPAM, into the container, the bridge and the masquerade rules. */
async function giveAddresses(
  { request, config, netns, host, container, undo }: Addition,
  options: {
    ipam: string;
    bridge: PresentLink;
    pair: VethPair;
    result: Result;
  },
): Promise<void> {
  const { ipam, bridge, pair, result } = options;
  if (pair.host.name !== hostVethName(request) && !isInThisProcess(request, ipam)) {
    (await import("./second-attachment.ts")).refuseSecond(host, request, pair.host);
  }
  const leased = await delegateAdd({ ...request, userOf: otherUsers(host, request, pair) }, ipam);
  undo.push(`addresses of IPAM plugin ${JSON.stringify(ipam)}`, () => {
    // The address of an interface that stays must not go to another container.
    removeLink(host, pair.host);
    return delegateDel(request, ipam);
  });
  if (leased.ips.length === 0) {
    throw new CniError(
      code.internal,
      `IPAM plugin returned missing IP config: ${JSON.stringify(ipam)} gave no address`,
    );
  }
  const { ips, routes, leftOut, gateways } = planAddressing(leased, config, CONTAINER_END);
  requireFeasibleResult(request.config.json, leased, ips, config);
  for (const { dst } of leftOut) {
    request.log(
      `left out the route to ${formatPrefix(dst)}: the container has no IPv${dst.address.family} address, so it would lead ` +
        `nowhere; add an IPv${dst.address.family} range, or take the route out of ipam.routes`,
    );
  }
  const addresses = ips.map(({ address }) => address);
  configureContainerInterface(
    container,
    netns,
    { link: pair.container, ips, routes, enabledad: config.enabledad },
    request.log,
  );

  if (config.isGateway) {
    const { log } = request;
    const gateway =
      config.vlan === 0
        ? { link: bridge, isShared: () => hasLaterPort(host, bridge, pair.host) }
        : (await import("./vlan-gateway.ts")).ensureVlanGateway(host, bridge, {
            config,
            port: pair.host,
            undo,
            log,
          });
    if (config.vlan !== 0) result.interfaces.push(interfaceOf(gateway.link));
    ensureGatewayAddresses(host, gateway, gateways, { forceAddress: config.forceAddress, undo, log });
    forgetNeighbours(
      host,
      gateway.link,
      addresses.map(({ address }) => address),
    );
  }
  if (config.ipMasq) {
    const masquerade = await import("../../netfilter/masquerade.ts");
    undo.push("masquerade rules", () => masquerade.tearDownMasquerade(request));
    await masquerade.setUpMasquerade(config.ipMasqBackend, request, addresses);
  }
  result.ips.push(...ips);
  result.routes.push(...routes);
  if (Object.keys(leased.dns).length > 0) result.dns = leased.dns;
}

/** Says what uses an address beside the new pair: an interface of the same attachment may live in another namespace. */
function otherUsers(host: Connection, { config }: Request, pair: VethPair): NonNullable<Request["userOf"]> {
  let users: AddressUsers | undefined;
  return async (held, among) => {
    const { AddressUsers, stillThere } = await import("./address-users.ts");
    users ??= new AddressUsers(host, config, pair.host);
    return stillThere(users.find(held, among));
  };
}

const familiesOf = (ips: readonly IpConfig[]): readonly Family[] =>
  FAMILIES.filter((family) => ips.some(({ address }) => address.address.family === family));

/** Whether a port joined the bridge after ours: it may rely on what it found there. */
const hasLaterPort = (host: Connection, bridge: PresentLink, own: PresentLink): boolean =>
  portsOf(host, bridge).some(({ index }) => index > own.index);

const macOf = ({ mac }: Pick<Seen, "mac">): string => formatMac(mac ?? new Uint8Array());

/** What the result says of a link. */
interface Seen {
  readonly name: string;
  readonly mac?: Uint8Array | undefined;
  readonly mtu?: number | undefined;
}

const interfaceOf = (link: Seen): Interface => ({
  name: link.name,
  mac: macOf(link),
  ...(link.mtu !== undefined && { mtu: link.mtu }),
});
