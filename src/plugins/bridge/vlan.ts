/** VLANs of a port (rules B9, B15). */
import type { Connection } from "../../netlink/connection.ts";
import { decodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import { addPortVlans, deletePortVlans, type PortVlan } from "../../netlink/rtnetlink/vlan.ts";
import type { PresentLink } from "./bridge-link.ts";
import type { Trunk } from "./trunk.ts";

/** What a port is to carry. */
export interface PortVlanPlan {
  /** Access VLAN; 0 for none. */
  readonly vlan: number;
  readonly trunk: Trunk;
  readonly preserveDefaultVlan: boolean;
}

/** The VLANs that a port gets: the access VLAN untagged, the trunk's tagged, VLAN 1 untagged for a trunk alone. */
export function plannedVlans(plan: PortVlanPlan): PortVlan[] {
  const access = plan.vlan !== 0 ? plan.vlan : plan.trunk.length > 0 ? 1 : 0;
  const tagged = plan.trunk.map(({ first, last }) =>
    first === last ? { vid: first } : { vid: first, end: last },
  );
  // Last, so that a trunk that holds the access VLAN does not take its flags away.
  return access === 0 ? tagged : [...tagged, { vid: access, pvid: true, untagged: true }];
}

/** Gives a new port of `bridge` its VLANs. A new port has the bridge's default VLAN and no other. */
export function setPortVlans(
  host: Connection,
  bridge: PresentLink,
  port: PresentLink,
  plan: PortVlanPlan,
): void {
  const vlans = plannedVlans(plan);
  if (vlans.length === 0) return;
  const defaultVlan = decodeBridge(bridge.data ?? new Uint8Array()).vlanDefaultPvid ?? 1;
  const requests = [addPortVlans(port.index, vlans, port.name)];
  if (!plan.preserveDefaultVlan && defaultVlan !== 0) {
    requests.unshift(deletePortVlans(port.index, [{ vid: defaultVlan }], port.name));
  }
  for (const { error } of host.callAll(requests)) if (error !== undefined) throw error;
}
