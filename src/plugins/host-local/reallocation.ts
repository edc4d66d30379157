/**
 * Allocates for an ADD that cannot simply take the next free address: it requests a certain address, it is repeated, or
 * no address is free (rules H46, H47, L4, L5).
 */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Boot } from "../../leases/boot.ts";
import { describeContent, isLeaseContent } from "../../leases/lease.ts";
import type { LeaseFile } from "../../leases/lease-files.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import type { NetnsRecord } from "../../leases/netns-record.ts";
import { findDead } from "../../leases/reclaim.ts";
import type { StagedLease } from "../../leases/staged-lease.ts";
import { intervalOf, sizeOf } from "../../net/interval.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { searchOrder } from "./allocator.ts";
import { formatSet, type RangeSet, reservedAs } from "./range.ts";

/** One set's part of an ADD. */
export interface Demand {
  readonly store: LeaseStore;
  readonly boot: Boot;
  readonly request: Request;
  /** The netns record of the new lease; undefined if the namespace cannot be opened. */
  readonly record: NetnsRecord | undefined;
  /** The leases that the attachment holds already, of this set and others. */
  readonly held: readonly LeaseFile[];
  readonly set: RangeSet;
  /** The set's place in the configuration. */
  readonly index: number;
  /** Inside the set. */
  readonly requested: IpAddress | undefined;
  readonly lease: StagedLease;
}

/** The address; `isReturned` if the attachment had an address of this set before. @throws CniError */
export async function allocateOtherwise(
  demand: Demand,
): Promise<{ address: IpAddress; isReturned: boolean }> {
  const { store, boot, request, record, set, index, requested, lease } = demand;
  const use = requested && reservedAs(set, requested);
  if (requested !== undefined && use !== undefined)
    throw failure(`requested ip ${formatIp(requested)} is ${use}: it is never handed out; request another`);
  const returned = await takeBack(demand);
  const wanted = requested ?? returned;
  const order =
    wanted === undefined
      ? searchOrder(set, store.files.readHint(index))
      : [{ family: wanted.family, from: wanted.value, to: wanted.value }];
  let address = store.allocate(lease, order);
  if (address === undefined) {
    // Rule L4: no address is free, so the leases of dead attachments are released.
    const leases: LeaseFile[] = [];
    for (const other of store.everything())
      if (other.content !== undefined && intervalOf(order, other.address) !== undefined) leases.push(other);
    const dead = await findDead(store.files, leases, boot, record, request.userOf);
    for (const { lease: stale, reason } of dead) {
      store.release(stale);
      store.files.log(`host-local: reclaimed ${describe(store, stale)}: ${reason}`);
    }
    address = store.allocate(lease, order);
  }
  if (address !== undefined) return { address, isReturned: returned !== undefined };
  throw requested === undefined ? exhausted(store, set) : taken(store, set, requested);
}

/**
 * Rule L5: handles leases that the attachment already holds in this set. If all are proven dead, this ADD is a retry
 * after a crash: the leases are released, and the address to use again is returned.
 */
async function takeBack(demand: Demand): Promise<IpAddress | undefined> {
  const { store, boot, record, request, set, requested } = demand;
  const held = demand.held.filter(({ address }) => intervalOf(set.ranges, address) !== undefined);
  const dead = await findDead(store.files, held, boot, record, request.userOf);
  const alive = held.find((lease) => !dead.some((each) => each.lease === lease));
  if (alive !== undefined) {
    const unavailable = requested === undefined ? "" : `${notAvailable(set, requested)}: `;
    throw failure(
      `${unavailable}${formatIp(alive.address)} has been allocated to ${request.containerId}, duplicate allocation is not allowed: ` +
        `${store.files.at(alive.name)} is the lease of ${describeContent(alive.content)}; DEL that attachment first`,
    );
  }
  for (const { lease, reason } of dead) {
    store.release(lease);
    store.files.log(
      `host-local: released ${describe(store, lease)}, from an earlier ADD of this attachment: ${reason}`,
    );
  }
  const address = held[0]?.address;
  return address === undefined || reservedAs(set, address) !== undefined ? undefined : address;
}

const describe = (store: LeaseStore, { name, content }: LeaseFile): string =>
  `${name} of ${describeContent(content)} (${store.files.at(name)})`;

const notAvailable = (set: RangeSet, address: IpAddress): string =>
  `requested IP address ${formatIp(address)} is not available in range set ${formatSet(set)}`;

function taken(store: LeaseStore, set: RangeSet, address: IpAddress): CniError {
  const [holder] = store.at(address);
  const { name = formatIp(address), content, strangeness } = holder ?? {};
  // The content of a file that may be another program's, or that does not have the form of a lease, is not shown.
  const by =
    content === undefined || strangeness !== undefined || !isLeaseContent(content)
      ? "a file that is not a lease"
      : describeContent(content);
  return failure(
    `${notAvailable(set, address)}: it belongs to ${by} (${store.files.at(name)}); ` +
      "request another, or DEL that attachment first",
  );
}

function exhausted(store: LeaseStore, set: RangeSet): CniError {
  const size = sizeOf(searchOrder(set, undefined));
  const state =
    size === 0n
      ? "it has no address that may be handed out; configure a larger range"
      : `all ${size} are held in ${store.files.path}, and no holder is proven to be gone; ` +
        "DEL attachments that are gone, run GC, or configure a larger range";
  return failure(`no IP addresses available in range set: ${formatSet(set)}: ${state}`);
}

const failure = (message: string): CniError => new CniError(code.internal, message);
