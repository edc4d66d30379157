/** Reads all that `show` shows of this host (rule O9). */
import { dumpVlans } from "../../links/vlan.ts";
import { policies } from "../../netfilter/firewall/list.ts";
import { openNftables } from "../../netfilter/kernel.ts";
import { connect, protocol } from "../../netlink/index.ts";
import type { HostState } from "../attachments.ts";
import { readPorts } from "../port-list.ts";
import { addressesByLink, readInsides } from "./inside.ts";
import type { NetworkNode } from "./nodes.ts";
import { topologyOf } from "./topology.ts";

/** All networks of this host. @throws CniError, NetlinkError, SystemError */
export async function readTopology(host: HostState): Promise<NetworkNode[]> {
  using route = connect(protocol.route);
  const insides = readInsides(route, host.namespaces);
  const addresses = addressesByLink(route);
  const vlans = new Map(dumpVlans(route, (index, found) => [index, found] as const));
  const { ports, leases } = await readPorts(host);
  using netfilter = openNftables();
  return topologyOf({
    ...{ host, insides, addresses, vlans },
    ports: Map.groupBy(ports, ({ attachment }) => attachment),
    leases: new Map(leases.map((lease) => [lease.path, lease])),
    policies: await policies(netfilter),
  });
}
