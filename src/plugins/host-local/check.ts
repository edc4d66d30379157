/** CHECK: the attachment still holds what it was given (rule H54). */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Machine, thisMachine } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { contentsOf } from "../../leases/lease.ts";
import { LeaseFiles } from "../../leases/lease-files.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import { openStore } from "../../leases/open-store.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { parseAllocation, parsePlace } from "./config.ts";
import { type RangeSet, rangeOf } from "./range.ts";

export async function check(request: Request, machine: Machine = thisMachine): Promise<void> {
  const { sets } = parseAllocation(request);
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  let lost: readonly IpAddress[] = [];
  try {
    if (files.exist()) {
      using store = await openStore(files, machine);
      const holds = store.heldBy(request, { sure: true }).length > 0;
      if (holds) lost = given(request, sets).filter((address) => !isHeld(store, address, request));
      store.commit();
      if (holds && lost.length === 0) return;
    }
  } catch (error) {
    throw during("cannot look for the lease", error);
  }
  const which = lost.length === 0 ? "" : ` for ${lost.map(formatIp).join(" and ")}`;
  throw new CniError(
    code.internal,
    `host-local: Failed to find address added by container ${request.containerId}: ` +
      `no lease of its interface ${request.ifname}${which} is in ${files.path}; DEL and ADD the attachment again`,
  );
}

/** The addresses of the interface in the result that can be of no other IPAM: those of the ranges. */
function given({ config, ifname }: Request, sets: readonly RangeSet[]): IpAddress[] {
  const { interfaces = [], ips = [] } = config.prevResult ?? {};
  return ips
    .filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.name === ifname)
    .map(({ address }) => address.address)
    .filter((address) => sets.some((set) => rangeOf(set, address) !== undefined));
}

/** The index may know some of an attachment's addresses alone: the file itself decides. */
const isHeld = (store: LeaseStore, address: IpAddress, attachment: Request): boolean =>
  store.at(address).some(({ content }) => content !== undefined && contentsOf(attachment).includes(content));
