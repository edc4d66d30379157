/** CHECK of the VLANs of the container's port and of the gateway of the access VLAN (rules B15, B24, G17). */
import { findLink, type PresentLink } from "../../links/link.ts";
import { carries, dumpVlans, type PortVlanPlan, plannedVlans } from "../../links/vlan.ts";
import { otherEnd, vlanGatewayName } from "../../links/vlan-gateway.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Mismatches } from "./mismatches.ts";

/** Finds the VLAN's gateway interface, and verifies that a port of the VLAN connects it to the bridge. */
export function verifyVlanGateway(
  host: Connection,
  bridge: PresentLink,
  { vlan, preserveDefaultVlan }: PortVlanPlan,
  mismatches: Mismatches,
): PresentLink | undefined {
  const name = vlanGatewayName(bridge, vlan);
  const gateway = findLink(host, name);
  if (gateway === undefined) {
    mismatches.report(`VLAN gateway interface "${name}" not found: ADD the container again`);
    return undefined;
  }
  mismatches.verifyUp(gateway, "VLAN gateway interface");
  const port = otherEnd(host, gateway, bridge);
  if (port === undefined) {
    mismatches.report(`VLAN gateway interface ${name} is not connected to bridge ${bridge.name} any more`);
    return gateway;
  }
  mismatches.verifyUp(port, `bridge port of VLAN gateway ${name}:`);
  const role = `bridge port ${port.name} of VLAN gateway ${name}`;
  verifyPortVlans(host, port, role, { vlan, preserveDefaultVlan }, mismatches);
  return gateway;
}

/** Verifies the planned VLANs of a port and tolerates others; `role` describes the port in messages. */
export function verifyPortVlans(
  host: Connection,
  port: PresentLink,
  role: string,
  plan: PortVlanPlan,
  mismatches: Mismatches,
): void {
  const present = dumpVlans(host, (index, vlans) => (index === port.index ? vlans : undefined)).flat();
  const gone: number[] = [];
  const untagged: number[] = [];
  for (const wanted of plannedVlans(plan)) {
    for (let vid = wanted.vid; vid <= (wanted.end ?? wanted.vid); vid++) {
      const found = carries(present, vid);
      if (wanted.pvid) {
        if (!(found?.pvid && found.untagged))
          mismatches.report(`${role} does not carry VLAN ${vid} as its untagged VLAN any more`);
      } else if (found === undefined) gone.push(vid);
      else if (found.untagged) untagged.push(vid);
    }
  }
  if (gone.length > 0) mismatches.report(`${role} does not carry VLAN ${inRanges(gone)} any more`);
  if (untagged.length > 0) mismatches.report(`${role} does not tag VLAN ${inRanges(untagged)} any more`);
}

/** Ascending numbers as text: "20, 30-32". */
function inRanges(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const number of numbers) {
    const current = ranges.at(-1);
    if (current !== undefined && current[1] === number - 1) current[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}
