/** CHECK: the attachment still holds its addresses (rule H54). */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Boot, thisBoot } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { contentsOf } from "../../leases/lease.ts";
import { LeaseFiles } from "../../leases/lease-files.ts";
import { type LeaseStore, openStore } from "../../leases/lease-store.ts";
import { intervalOf } from "../../net/interval.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { parseAllocation, parsePlace } from "./config.ts";
import type { RangeSet } from "./range.ts";

export async function check(request: Request, boot: Boot = thisBoot): Promise<void> {
  const { sets } = parseAllocation(request);
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  let missing: readonly IpAddress[] = [];
  try {
    if (files.exist()) {
      using store = await openStore(files, boot);
      const holds = store.heldBy(request, true).length > 0;
      if (holds) missing = given(request, sets).filter((address) => !isHeld(store, address, request));
      store.commit();
      if (holds && missing.length === 0) return;
    }
  } catch (error) {
    throw during("cannot look for the lease", error);
  }
  const which = missing.length === 0 ? "" : ` for ${missing.map(formatIp).join(" and ")}`;
  throw new CniError(
    code.internal,
    `host-local: Failed to find address added by container ${request.containerId}: ` +
      `no lease of its interface ${request.ifname}${which} is in ${files.path}; DEL and ADD the attachment again`,
  );
}

/** The interface's addresses in the result that are in the ranges; the others are from another IPAM plugin. */
function given({ config, ifname }: Request, sets: readonly RangeSet[]): IpAddress[] {
  const { interfaces = [], ips = [] } = config.prevResult ?? {};
  return ips
    .filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.name === ifname)
    .map(({ address }) => address.address)
    .filter((address) => sets.some((set) => intervalOf(set.ranges, address) !== undefined));
}

/** Reads the file itself, since the index may know only some of an attachment's addresses. */
const isHeld = (store: LeaseStore, address: IpAddress, attachment: Request): boolean =>
  store.at(address).some(({ content }) => content !== undefined && contentsOf(attachment).includes(content));
