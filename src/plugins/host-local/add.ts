/** ADD: one address of each range set, all of them or none (rules H41, H45, H49, L2, L8). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { beginUndo, takeBack } from "../../cni/undo.ts";
import { type Boot, thisBoot } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { leaseContent } from "../../leases/lease.ts";
import { LeaseFiles } from "../../leases/lease-files.ts";
import { type LeaseStore, openStore } from "../../leases/lease-store.ts";
import { formatRecord } from "../../leases/netns-record.ts";
import { StagedLease } from "../../leases/staged-lease.ts";
import { intervalOf } from "../../net/interval.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { searchOrder } from "./allocator.ts";
import { type AllocationConfig, parseAllocation, parsePlace } from "./config.ts";
import { formatSet, type RangeSet } from "./range.ts";

/** @throws CniError, after which the attachment holds no new lease but those that its details name */
export async function add(request: Request, boot: Boot = thisBoot): Promise<Result> {
  const left: string[] = [];
  const staged: StagedLease[] = [];
  try {
    return await lease(request, boot, staged, left);
  } catch (error) {
    throw toCniError(error).afterUndo(left);
  } finally {
    for (const lease of staged) lease[Symbol.dispose]();
  }
}

/** Adds to `left` what it could not release after a failure. */
async function lease(request: Request, boot: Boot, staged: StagedLease[], left: string[]): Promise<Result> {
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  const config = parseAllocation(request);
  const { sets, routes, resolvConf } = config;
  const requested = assignRequested(config);
  const dns = resolvConf === undefined ? {} : (await import("./resolv-conf.ts")).readResolvConf(resolvConf);
  const record = boot.record(request.netns);
  const content = leaseContent(request);
  // Writing to the disk takes long, so it happens before the lock is taken and after it is released.
  try {
    const text = record && formatRecord(record, content);
    for (let count = 0; count < sets.length; count++) staged.push(new StagedLease(files, content, text));
  } catch (error) {
    throw during(`cannot write a lease in ${files.path}`, error);
  }
  const ips: IpConfig[] = [];
  {
    using store = await openStore(files, boot);
    try {
      store.inspectSome();
      const held = store.heldBy(request, false);
      for (let index = 0; index < sets.length; index++) {
        const [set, lease] = [sets[index], staged[index]];
        if (set === undefined || lease === undefined) continue;
        let isReturned = false;
        let address: IpAddress | undefined;
        if (requested.length === 0 && held.length === 0)
          address = store.allocate(lease, searchOrder(set, files.readHint(index)));
        if (address === undefined) {
          const demand = {
            store,
            boot,
            request,
            record,
            held,
            set,
            index,
            requested: requested[index],
            lease,
          };
          const { allocateOtherwise } = await import("./reallocation.ts");
          ({ address, isReturned } = await allocateOtherwise(demand));
        }
        ips.push(configOf(set, address));
        if (!isReturned) writeHint(store, index, address);
      }
      store.commit();
    } catch (error) {
      beginUndo(request.time);
      giveBack(store, ips, content, left);
      throw during(`failed to allocate for range ${ips.length}`, error);
    }
  }
  try {
    files.sync();
  } catch (error) {
    const undo = async () => {
      using store = await openStore(files, boot);
      giveBack(store, ips, content, left);
    };
    const headline = `cannot release the lease in ${files.path} again`;
    for (const failure of await takeBack(request, headline, undo)) left.push(failure);
    throw during(`cannot make the lease in ${files.path} durable`, error);
  }
  return { interfaces: [], ips, routes: [...routes], dns };
}

/** The requested address of each set. An address that no set contains fails before anything is changed (rule H45). */
function assignRequested({ sets, requested }: AllocationConfig): (IpAddress | undefined)[] {
  if (requested.length === 0) return [];
  const left = [...requested];
  const assigned = sets.map((set) => {
    const index = left.findIndex((address) => intervalOf(set.ranges, address) !== undefined);
    return index < 0 ? undefined : left.splice(index, 1)[0];
  });
  if (left.length === 0) return assigned;
  const ranges = sets.map((set, index) => `${index}: ${formatSet(set)}`).join("; ");
  throw new CniError(
    code.internal,
    `failed to allocate all requested IPs: ${left.map(formatIp).join(" ")}: ` +
      `each range set gives one address of its own ranges; the sets are ${ranges}`,
  );
}

function configOf(set: RangeSet, address: IpAddress): IpConfig {
  const range = intervalOf(set.ranges, address);
  if (range === undefined) throw new Error(`an address outside of ${formatSet(set)} was allocated`);
  return { address: { address, length: range.subnet.length }, gateway: range.gateway };
}

/** A missing hint only changes the set's order of addresses (rule L3). */
function writeHint(store: LeaseStore, index: number, address: IpAddress): void {
  try {
    store.writeHint(index, address);
  } catch (error) {
    store.files.log(`host-local: cannot write the last reserved address: ${toCniError(error).message}`);
  }
}

/** Releases the leases of this ADD (rule H49). A failure is logged, and put into `left`. */
function giveBack(store: LeaseStore, ips: readonly IpConfig[], content: string, left: string[]): void {
  const { files } = store;
  for (const { address: prefix } of ips) {
    const { address } = prefix;
    const name = formatIp(address);
    try {
      store.release({ name, address, content });
    } catch (error) {
      const line = `host-local: cannot release ${files.at(name)} again: ${toCniError(error).message}`;
      files.log(line);
      left.push(line);
    }
  }
  store.commit();
}
