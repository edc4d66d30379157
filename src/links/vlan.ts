/** Plans, sets and reads the VLANs of a bridge port (rules B9, B15). */
import type { Connection } from "../netlink/connection.ts";
import { decodeBridge } from "../netlink/rtnetlink/bridge.ts";
import {
  addPortVlans,
  decodePortVlans,
  deletePortVlans,
  dumpPortVlans,
  type PortVlan,
} from "../netlink/rtnetlink/vlan.ts";
import type { PresentLink } from "./link.ts";

/** Inclusive ranges of VLAN ids, sorted, not touching each other. */
export type Trunk = readonly { readonly first: number; readonly last: number }[];

/** The configured VLANs of a port. */
export interface PortVlanPlan {
  /** Access VLAN; 0 for none. */
  readonly vlan: number;
  /** Tagged VLANs. */
  readonly trunk?: Trunk | undefined;
  readonly preserveDefaultVlan: boolean;
}

/**
 * The VLANs that a port gets: the access VLAN untagged, those of the trunk tagged, and VLAN 1 untagged for a trunk without an
 * access VLAN. The untagged VLAN stays untagged even if the trunk contains it.
 */
export function plannedVlans({ vlan, trunk = [] }: PortVlanPlan): PortVlan[] {
  const access = vlan !== 0 ? vlan : trunk.length > 0 ? 1 : 0;
  const vlans: PortVlan[] = access === 0 ? [] : [{ vid: access, pvid: true, untagged: true }];
  for (const { first, last } of trunk) {
    for (const [vid, end] of [
      [first, Math.min(last, access - 1)],
      [Math.max(first, access + 1), last],
    ] as const) {
      if (vid <= end) vlans.push(vid === end ? { vid } : { vid, end });
    }
  }
  return vlans;
}

/** Sets the VLANs of a new port of `bridge`, which so far has only the bridge's default VLAN. */
export function setPortVlans(
  host: Connection,
  bridge: PresentLink,
  { index, name }: PresentLink,
  plan: PortVlanPlan,
): void {
  const vlans = plannedVlans(plan);
  if (vlans.length === 0) return;
  const defaultVlan = decodeBridge(bridge.data ?? new Uint8Array()).vlanDefaultPvid ?? 1;
  const requests = [addPortVlans(index, vlans, name)];
  if (!plan.preserveDefaultVlan && defaultVlan !== 0)
    requests.unshift(deletePortVlans(index, [{ vid: defaultVlan }], name));
  for (const { error } of host.callAll(requests)) if (error !== undefined) throw error;
}

/** Calls `keep` for each port of the namespace with its VLANs, and returns its results. */
export const dumpVlans = <T>(
  host: Connection,
  keep: (index: number, vlans: readonly PortVlan[]) => T | undefined,
): T[] =>
  host.dump(dumpPortVlans(), ({ payload }) => {
    const { index, vlans } = decodePortVlans(payload);
    return keep(index, vlans);
  });

/** The entry of `vlans` that contains the VLAN. */
export const carries = (vlans: readonly PortVlan[], vid: number): PortVlan | undefined =>
  vlans.find((vlan) => vlan.vid <= vid && vid <= (vlan.end ?? vlan.vid));
