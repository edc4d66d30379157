/** CHECK of VLANs: those of the container's port, and the gateway of the access VLAN (rules B15, B24, G17). */
import { findLink, type PresentLink } from "../../links/link.ts";
import { carries, dumpVlans, type PortVlanPlan, plannedVlans } from "../../links/vlan.ts";
import { otherEnd, vlanGatewayName } from "../../links/vlan-gateway.ts";
import type { Connection } from "../../netlink/connection.ts";
import type { Losses } from "./losses.ts";

/** The VLAN's gateway interface, still connected to the bridge by a port of the VLAN. */
export function verifyVlanGateway(
  host: Connection,
  bridge: PresentLink,
  { vlan, preserveDefaultVlan }: PortVlanPlan,
  losses: Losses,
): PresentLink | undefined {
  const name = vlanGatewayName(bridge, vlan);
  const gateway = findLink(host, name);
  if (gateway === undefined) {
    losses.report(`VLAN gateway interface "${name}" not found: ADD the container again`);
    return undefined;
  }
  losses.verifyUp(gateway, "VLAN gateway interface");
  const port = otherEnd(host, gateway, bridge);
  if (port === undefined) {
    losses.report(`VLAN gateway interface ${name} is not connected to bridge ${bridge.name} any more`);
    return gateway;
  }
  losses.verifyUp(port, `bridge port of VLAN gateway ${name}:`);
  const role = `bridge port ${port.name} of VLAN gateway ${name}`;
  verifyPortVlans(host, port, role, { vlan, preserveDefaultVlan }, losses);
  return gateway;
}

/** The port carries all that it should, as it should; `role` is its name in words. More than that is tolerated. */
export function verifyPortVlans(
  host: Connection,
  port: PresentLink,
  role: string,
  plan: PortVlanPlan,
  losses: Losses,
): void {
  const present = dumpVlans(host, (index, vlans) => (index === port.index ? vlans : undefined)).flat();
  const gone: number[] = [];
  const untagged: number[] = [];
  for (const wanted of plannedVlans(plan)) {
    for (let vid = wanted.vid; vid <= (wanted.end ?? wanted.vid); vid++) {
      const found = carries(present, vid);
      if (wanted.pvid) {
        if (!(found?.pvid && found.untagged))
          losses.report(`${role} does not carry VLAN ${vid} as its untagged VLAN any more`);
      } else if (found === undefined) gone.push(vid);
      else if (found.untagged) untagged.push(vid);
    }
  }
  if (gone.length > 0) losses.report(`${role} does not carry VLAN ${inRanges(gone)} any more`);
  if (untagged.length > 0) losses.report(`${role} does not tag VLAN ${inRanges(untagged)} any more`);
}

/** Ascending numbers in few words: "20, 30-32". */
function inRanges(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const number of numbers) {
    const current = ranges.at(-1);
    if (current !== undefined && current[1] === number - 1) current[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}
