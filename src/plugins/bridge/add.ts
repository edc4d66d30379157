/** ADD: connects a container to the bridge, and undoes that on failure (rules B10–B32, G7, G10, G11). */
import { delegateAdd, delegateDel, isInThisProcess } from "../../cni/delegate.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { emptyResult, type Interface, type Result } from "../../cni/result.ts";
import { reduceTo } from "../../cni/result-version.ts";
import { UndoStack } from "../../cni/undo.ts";
import type { AddressUsers } from "../../links/address-users.ts";
import { isReady, settle } from "../../links/bridge.ts";
import { announce, configureContainerInterface } from "../../links/container-interface.ts";
import { forgetNeighbours, isForwarding, prefixesOf } from "../../links/gateway.ts";
import { lockHost } from "../../links/host-lock.ts";
import { type Change, findLink, type PresentLink, portsOf, removeLink } from "../../links/link.ts";
import { linkNameProblem } from "../../links/link-name.ts";
import { connect, connectInside, type Inside, openNetns } from "../../links/namespaces.ts";
import { awaitAddressesSettled, awaitPortUp, portState } from "../../links/readiness.ts";
import { addVethPair, setUpHostEnd, type VethPair } from "../../links/veth.ts";
import { hostVethName } from "../../links/veth-identity.ts";
import { FAMILIES, type Family } from "../../net/ip.ts";
import { formatMac, type Mac } from "../../net/mac.ts";
import { formatPrefix, hasFamily, includesPrefix, type Prefix } from "../../net/prefix.ts";
import type { Connection } from "../../netlink/connection.ts";
import { FORWARDING } from "../../netlink/rtnetlink/bridge-port.ts";
import { setLinkUp } from "../../netlink/rtnetlink/link.ts";
import { planAddressing } from "./addressing.ts";
import { type BridgeConfig, bridgeName, parseBridgeConfig } from "./config.ts";
import { requireFeasibleConfiguration, requireFeasibleResult } from "./feasibility.ts";

/** What all steps of an ADD need. */
interface Addition extends Change, Inside {
  readonly request: Request;
  readonly config: BridgeConfig;
}

export async function add(request: Request): Promise<Result> {
  const config = parseBridgeConfig(request);
  if (config.ipam !== undefined) requireFeasibleConfiguration(request, config);
  const problem = linkNameProblem(request.ifname);
  if (problem !== undefined) {
    throw new CniError(
      code.invalidEnvironment,
      `invalid interface name ${JSON.stringify(request.ifname)}: ${problem}`,
    );
  }
  // It is parsed when it is first read: a faulty one must fail before anything is touched (K19).
  void request.config.prevResult;
  using netns = openNetns(request.netns);
  using host = connect();
  using container = connectInside(netns);
  const undo = new UndoStack();
  try {
    return await attach({ request, config, netns, host, container, undo, log: request.log });
  } catch (error) {
    throw toCniError(error).afterUndo(await undo.run(request));
  }
}

/** Indices in the result's interfaces (rule B16). */
const HOST_END = 1;
const CONTAINER_END = 2;

async function attach(addition: Addition): Promise<Result> {
  const { request, config, host, container, undo } = addition;
  const { bridge, created, pair } = await connectToBridge(addition);
  setUpHostEnd(addition, request, pair.host, config);
  if (config.vlan !== 0 || config.trunk !== undefined)
    (await import("../../links/vlan.ts")).setPortVlans(host, bridge, pair.host, config);
  if (config.macspoofchk) {
    const spoof = await import("../../netfilter/spoof-check/set-up.ts");
    undo.push("spoof check", async () => {
      const { tearDown } = await import("../../netfilter/spoof-check/tear-down.ts");
      // The undo of this step runs before the port is removed.
      await tearDown(request, ({ name }) => name === pair.host.name);
    });
    await spoof.setUp(request, pair.host.name, formatMac(pair.container.mac ?? new Uint8Array()));
  }

  const result = emptyResult();
  const inside = interfaceOf(pair.container);
  inside.sandbox = request.netns;
  result.interfaces.push(interfaceOf(bridge), interfaceOf(pair.host), inside);
  if (config.ipam !== undefined) await giveAddresses(addition, config.ipam, { bridge, pair, result });
  else if (!config.disableContainerInterface)
    container.call(setLinkUp(pair.container.index, true, pair.container.name));

  if (!config.disableContainerInterface) {
    const port = awaitPortUp(host, pair.host);
    const { mac, mtu } = port;
    // By now, programs on the host that change the MAC of new links have done so (rule B32).
    result.interfaces[HOST_END] = interfaceOf({ name: pair.host.name, mac, mtu });
    if (portState(port) !== FORWARDING)
      (await import("../../links/spanning-tree.ts")).awaitForwarding(addition, bridge, pair.host);
    if (hasFamily(result.ips, 6)) awaitAddressesSettled(addition, pair.container);
    if (config.ipam !== undefined) announce(addition, pair.container);
  }
  if (config.dns !== undefined) result.dns = config.dns;
  // Must fail for a result that this version can't express while everything can still be undone (G10).
  const { cniVersion, prevResult } = request.config;
  const whole =
    prevResult === undefined ? result : (await import("./previous.ts")).withPrevious(result, prevResult);
  const reduced = reduceTo(cniVersion, whole);
  if (!config.isGateway) return reduced;
  // Last, because it can't be undone once other containers rely on it.
  const closed: Family[] = [];
  for (const family of FAMILIES) {
    if (hasFamily(result.ips, family) && !isForwarding(family)) closed.push(family);
  }
  if (closed.length > 0) {
    const { enableForwarding } = await import("../../links/forwarding.ts");
    enableForwarding(addition, closed, created);
  }
  return reduced;
}

/** Sets up the bridge and the veth pair, under a lock, so that no undo of another ADD removes the bridge in between. */
async function connectToBridge(addition: Addition) {
  const { request, config, host, undo, log } = addition;
  using _lock = lockHost(log);
  const loadSetup = () => import("../../links/bridge-setup.ts");
  let link = findLink(host, config.bridge);
  let created = false;
  if (!isReady(link, config)) ({ link, created } = (await loadSetup()).setUpBridge(addition, link, config));
  const before = link;
  if (!created) undo.push("MAC of the bridge", async () => (await loadSetup()).giveMacBack(host, before));
  const pair = addVethPair(addition, request, before, config);
  const bridge = settle(host, before);
  if (bridge.mtu !== before.mtu || bridge.mtu !== pair.host.mtu)
    (await loadSetup()).reportMtu(before, bridge, pair.host, log);
  return { bridge, created, pair };
}

/** Gets addresses from the IPAM plugin, and gives them to the container, the bridge and the masquerade rules. */
async function giveAddresses(
  addition: Addition,
  ipam: string,
  { bridge, pair, result }: { bridge: PresentLink; pair: VethPair; result: Result },
): Promise<void> {
  const { request, config, host, undo, log } = addition;
  if (pair.host.name !== hostVethName(request) && !isInThisProcess(request, ipam))
    (await import("../../links/own-veth.ts")).refuseSecond(host, request, pair.host);
  // A delegate that fails undoes its own steps.
  const leased = await delegateAdd({ ...request, userOf: otherUsers(host, request, pair) }, ipam);
  undo.push(`addresses of IPAM plugin ${JSON.stringify(ipam)}`, () => {
    // Before its addresses are freed, so that no other container can get the address of a living interface.
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
    log(
      `left out the route to ${formatPrefix(dst)}: the container has no IPv${dst.address.family} address, so it would lead ` +
        `nowhere; add an IPv${dst.address.family} range, or take the route out of ipam.routes`,
    );
  }
  const addresses: Prefix[] = [];
  for (const { address } of ips) addresses.push(address);
  const { enabledad, forceAddress } = config;
  await configureContainerInterface(addition, { link: pair.container, ips, routes, enabledad });

  if (config.isGateway) {
    let gateway = {
      link: bridge,
      // A port that was added after ours may rely on the addresses that its ADD found.
      isShared: () => portsOf(host, bridge).some(({ index }) => index > pair.host.index),
    };
    if (config.vlan !== 0) {
      const { ensureVlanGateway } = await import("../../links/vlan-gateway.ts");
      gateway = ensureVlanGateway(addition, bridge, config, pair.host);
      result.interfaces.push(interfaceOf(gateway.link));
    }
    {
      // Under the lock no undo of another ADD can remove the addresses found here.
      using _lock = lockHost();
      const present = prefixesOf(host, gateway.link);
      let isComplete = true;
      for (const wanted of gateways) if (!includesPrefix(present, wanted)) isComplete = false;
      if (!isComplete) {
        const { addGatewayAddresses } = await import("../../links/gateway-addresses.ts");
        addGatewayAddresses(addition, gateway, gateways, present, forceAddress);
      }
    }
    forgetNeighbours(host, gateway.link, addresses);
  }
  if (config.ipMasq) {
    const masquerade = await import("../../netfilter/masquerade/set-up.ts");
    undo.push("masquerade rules", async () => {
      await (await import("../../netfilter/masquerade/tear-down.ts")).tearDown(request);
    });
    await masquerade.setUp(config.ipMasqBackend, request, addresses);
  }
  result.ips = ips;
  result.routes = routes;
  if (Object.keys(leased.dns).length > 0) result.dns = leased.dns;
}

/** Finds what else uses an address: the same attachment may have an interface in another namespace. */
function otherUsers(
  host: Connection,
  { network, config }: Request,
  pair: VethPair,
): NonNullable<Request["userOf"]> {
  let users: AddressUsers | undefined;
  return async (held, among) => {
    const { AddressUsers, stillThere } = await import("../../links/address-users.ts");
    users ??= new AddressUsers(host, { network, bridge: () => bridgeName(config.json), except: pair.host });
    return stillThere(users.find(held, among));
  };
}

interface Seen {
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
}

/** The result's entry for a link. */
function interfaceOf({ name, mac, mtu }: Seen): Interface {
  const described: Interface = { name, mac: formatMac(mac ?? new Uint8Array()) };
  if (mtu !== undefined) described.mtu = mtu;
  return described;
}
