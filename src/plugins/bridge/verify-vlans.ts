/** CHECK of VLANs: those of the container's port, and the gateway of the access VLAN (rules B15, B24, G17). */
import type { Connection } from "../../netlink/connection.ts";
import type { PortVlan } from "../../netlink/rtnetlink/vlan.ts";
import { findLink, type PresentLink } from "./bridge-link.ts";
import type { BridgeConfig } from "./config.ts";
import { lost, verifyUp } from "./lost.ts";
import { carries, type PortVlanPlan, plannedVlans, vlansOf } from "./vlan.ts";
import { otherEnd, vlanGatewayName } from "./vlan-gateway.ts";

/** The port carries all that the configuration wants, as it wants it. More than that is tolerated. @throws CniError */
export function verifyPortVlans(host: Connection, port: PresentLink, plan: PortVlanPlan): void {
  verifyVlans(`bridge port ${port.name}`, vlansOf(host, port), plan);
}

/** The VLAN's gateway interface, still connected to the bridge by a port of the VLAN. @throws CniError */
export function verifyVlanGateway(host: Connection, bridge: PresentLink, config: BridgeConfig): PresentLink {
  const name = vlanGatewayName(config);
  const gateway = findLink(host, name);
  if (gateway === undefined)
    throw lost(`VLAN gateway interface "${name}" not found: ADD the container again`);
  verifyUp(gateway, "VLAN gateway interface");
  const port = otherEnd(host, gateway, bridge);
  if (port === undefined)
    throw lost(`VLAN gateway interface ${name} is not connected to bridge ${bridge.name} any more`);
  verifyUp(port, `bridge port of VLAN gateway ${name}:`);
  const role = `bridge port ${port.name} of VLAN gateway ${name}`;
  verifyVlans(role, vlansOf(host, port), { ...config, trunk: [] });
  return gateway;
}

function verifyVlans(role: string, present: readonly PortVlan[], plan: PortVlanPlan): void {
  for (const wanted of plannedVlans(plan)) {
    for (let vid = wanted.vid; vid <= (wanted.end ?? wanted.vid); vid++) {
      const found = carries(present, vid);
      if (wanted.pvid && !(found?.pvid && found.untagged))
        throw lost(`${role} does not carry VLAN ${vid} as its untagged VLAN any more`);
      if (found === undefined) throw lost(`${role} does not carry VLAN ${vid} any more`);
      if (!wanted.untagged && found.untagged) throw lost(`${role} does not tag VLAN ${vid} any more`);
    }
  }
}
