/** VLANs of a port (rules B9, B15). */
import type { Connection } from "../../netlink/connection.ts";
import { decodeBridge } from "../../netlink/rtnetlink/bridge.ts";
import {
  addPortVlans,
  decodePortVlans,
  deletePortVlans,
  dumpPortVlans,
  type PortVlan,
} from "../../netlink/rtnetlink/vlan.ts";
import type { PresentLink } from "./bridge-link.ts";
import type { Trunk } from "./trunk.ts";

/** What a port is to carry. */
export interface PortVlanPlan {
  /** Access VLAN; 0 for none. */
  readonly vlan: number;
  readonly trunk: Trunk;
  readonly preserveDefaultVlan: boolean;
}

/**
 * The VLANs that a port gets: the access VLAN untagged, the trunk's tagged, VLAN 1 untagged for a trunk alone. A trunk
 * that holds the untagged VLAN does not make it a tagged one.
 */
export function plannedVlans(plan: PortVlanPlan): PortVlan[] {
  const access = plan.vlan !== 0 ? plan.vlan : plan.trunk.length > 0 ? 1 : 0;
  const tagged = plan.trunk
    .flatMap(({ first, last }) => [
      { first, last: Math.min(last, access - 1) },
      { first: Math.max(first, access + 1), last },
    ])
    .filter(({ first, last }) => first <= last)
    .map(({ first, last }) => (first === last ? { vid: first } : { vid: first, end: last }));
  return access === 0 ? tagged : [{ vid: access, pvid: true, untagged: true }, ...tagged];
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

/** The VLANs of a port. */
export const vlansOf = (host: Connection, port: { readonly index: number }): PortVlan[] =>
  host
    .dump(dumpPortVlans(), ({ payload }) => {
      const { index, vlans } = decodePortVlans(payload);
      return index === port.index ? vlans : undefined;
    })
    .flat();

/** Indices of the ports that carry a VLAN, of all bridges of the namespace. */
export const portsCarrying = (host: Connection, vid: number): ReadonlySet<number> =>
  new Set(
    host.dump(dumpPortVlans(), ({ payload }) => {
      const { index, vlans } = decodePortVlans(payload);
      return carries(vlans, vid) === undefined ? undefined : index;
    }),
  );

/** The entry of `vlans` that holds the VLAN. */
export const carries = (vlans: readonly PortVlan[], vid: number): PortVlan | undefined =>
  vlans.find((vlan) => vlan.vid <= vid && vid <= (vlan.end ?? vlan.vid));
