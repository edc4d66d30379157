/** ADD: one address of each range set, all of them or none (rules H41, H45, H49, L2, L8). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { IpConfig, Result } from "../../cni/result.ts";
import { takeBack } from "../../cni/undo.ts";
import { type Machine, thisMachine } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { leaseContent } from "../../leases/lease.ts";
import { LeaseFiles } from "../../leases/lease-files.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import { formatIdentity, type Identity } from "../../leases/netns-record.ts";
import { openStore } from "../../leases/open-store.ts";
import { PreparedLease } from "../../leases/staged-lease.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { allocate } from "./allocation.ts";
import { type AllocationConfig, parseAllocation, parsePlace } from "./config.ts";
import { formatSet, type RangeSet, rangeOf } from "./range.ts";

/** An address of a set, and the lease that will have it. */
interface Share {
  readonly set: RangeSet;
  readonly index: number;
  readonly requested: IpAddress | undefined;
  readonly lease: PreparedLease;
}

/** @throws CniError, after which nothing is taken but for what its details name */
export async function add(request: Request, machine: Machine = thisMachine): Promise<Result> {
  const left: string[] = [];
  try {
    return await lease(request, machine, left);
  } catch (error) {
    throw toCniError(error).afterUndo(left);
  }
}

/** What a failure could not give back goes into `left`. */
async function lease(request: Request, machine: Machine, left: string[]): Promise<Result> {
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  const config = parseAllocation(request);
  const requested = assignRequested(config);
  const dns =
    config.resolvConf === undefined
      ? {}
      : (await import("./resolv-conf.ts")).readResolvConf(config.resolvConf);
  const identity = machine.identify(request.netns);
  const content = leaseContent(request);
  const recorded = identity && formatIdentity(identity, content);
  const shares: Share[] = [];
  try {
    // What takes long, writing to the disk, happens before the lock is taken and after it is given back.
    for (const set of config.sets) {
      const index = shares.length;
      shares.push({ set, index, requested: requested[index], lease: prepare(files, content, recorded) });
    }
    const addresses = await take(request, { files, machine, identity, content, shares }, left);
    const ips = shares.map(({ set, index }) => resultOf(set, addresses[index]));
    return { interfaces: [], ips, routes: [...config.routes], dns };
  } finally {
    for (const { lease } of shares) lease[Symbol.dispose]();
  }
}

/** An address for each share, durable; or none of them is taken. */
async function take(
  request: Request,
  attachment: {
    files: LeaseFiles;
    machine: Machine;
    identity: Identity | undefined;
    content: string;
    shares: readonly Share[];
  },
  left: string[],
): Promise<IpAddress[]> {
  const { files, machine, identity, content, shares } = attachment;
  const addresses: IpAddress[] = [];
  {
    using store = await openStore(files, machine);
    const allocation = {
      store,
      machine,
      attachment: request,
      identity,
      userOf: request.userOf,
      log: request.log,
    };
    try {
      store.inspectSome();
      const held = store.heldBy(request, { sure: false });
      for (const share of shares) {
        const heldHere = held.filter(({ address }) => rangeOf(share.set, address) !== undefined);
        addresses.push(await allocate(allocation, { ...share, held: heldHere }));
      }
      store.commit();
    } catch (error) {
      left.push(...giveBack(store, addresses, content, request.log));
      throw during(`failed to allocate for range ${addresses.length}`, error);
    }
  }
  try {
    files.sync();
    return addresses;
  } catch (error) {
    left.push(
      ...(await takeBack(request, `cannot release the lease in ${files.path} again`, async () => {
        using store = await openStore(files, machine);
        left.push(...giveBack(store, addresses, content, request.log));
      })),
    );
    throw during(`cannot make the lease in ${files.path} durable`, error);
  }
}

/** For each set the address asked for. What no set can give is known before anything is touched (rule H45). */
function assignRequested({ sets, requested }: AllocationConfig): (IpAddress | undefined)[] {
  if (requested.length === 0) return [];
  const left = [...requested];
  const assigned = sets.map((set) => {
    const index = left.findIndex((address) => rangeOf(set, address) !== undefined);
    return index < 0 ? undefined : left.splice(index, 1)[0];
  });
  if (left.length === 0) return assigned;
  const ranges = sets.map((set, index) => `${index}: ${formatSet(set)}`).join("; ");
  throw new CniError(
    code.internal,
    `failed to allocate all requested IPs: ${left.map(formatIp).join(" ")}: ` +
      `a range set gives one address, of its own ranges; the sets are ${ranges}`,
  );
}

function prepare(files: LeaseFiles, content: string, identity: string | undefined): PreparedLease {
  try {
    return PreparedLease.write(files, content, identity);
  } catch (error) {
    throw during(`cannot write a lease in ${files.path}`, error);
  }
}

/** Releases what this ADD took (rule H49). What it can't is logged and returned. */
function giveBack(
  store: LeaseStore,
  addresses: readonly IpAddress[],
  content: string,
  log: (line: string) => void,
): string[] {
  const left: string[] = [];
  for (const address of addresses) {
    const name = formatIp(address);
    try {
      store.release({ name, address, content });
    } catch (error) {
      const line = `host-local: cannot release ${store.files.at(name)} again: ${toCniError(error).message}`;
      log(line);
      left.push(line);
    }
  }
  store.commit();
  return left;
}

function resultOf(set: RangeSet, address: IpAddress | undefined): IpConfig {
  const range = address === undefined ? undefined : rangeOf(set, address);
  if (address === undefined || range === undefined)
    throw new Error(`no address of ${formatSet(set)} was allocated`);
  return { address: { address, length: range.subnet.length }, gateway: range.gateway };
}
