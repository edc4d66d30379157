/**
 * What an ADD does when it cannot just have the next free address: it asks for a certain one, it is repeated, or nothing
 * is free (rules H46, H47, L4, L5).
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
  /** What the lease records of the attachment's namespace; undefined if that cannot be opened. */
  readonly record: NetnsRecord | undefined;
  /** What the attachment holds already, of this set and others. */
  readonly held: readonly LeaseFile[];
  readonly set: RangeSet;
  /** The set's place in the configuration. */
  readonly index: number;
  /** The address asked for; inside the set's bounds. */
  readonly requested: IpAddress | undefined;
  readonly lease: StagedLease;
}

/** The address; `isReturned` if the attachment has had it before. @throws CniError */
export async function allocateOtherwise(
  demand: Demand,
): Promise<{ address: IpAddress; isReturned: boolean }> {
  const { store, boot, request, record, set, index, requested, lease } = demand;
  const use = requested && reservedAs(set, requested);
  if (requested !== undefined && use !== undefined)
    throw failure(`requested ip ${formatIp(requested)} is ${use}: it is never handed out; ask for another`);
  const returned = await takeBack(demand);
  const wanted = requested ?? returned;
  const order =
    wanted === undefined
      ? searchOrder(set, store.files.readHint(index))
      : [{ family: wanted.family, from: wanted.value, to: wanted.value }];
  let address = store.allocate(lease, order);
  if (address === undefined) {
    // Rule L4: nothing is free; what dead attachments hold becomes so.
    const leases: LeaseFile[] = [];
    for (const other of store.everything())
      if (other.content !== undefined && intervalOf(order, other.address) !== undefined) leases.push(other);
    for (const { lease: dead, proof } of await findDead(store.files, leases, boot, record, request.userOf)) {
      store.release(dead);
      store.files.log(`host-local: reclaimed ${describe(store, dead)}: ${proof}`);
    }
    address = store.allocate(lease, order);
  }
  if (address !== undefined) return { address, isReturned: returned !== undefined };
  throw requested === undefined ? exhausted(store, set) : taken(store, set, requested);
}

/**
 * Rule L5: the attachment holds addresses of this set. If all are proven dead this is the retry after a crash: they are
 * released, and the address to be had again is returned.
 */
async function takeBack(demand: Demand): Promise<IpAddress | undefined> {
  const { store, boot, record, request, set, requested } = demand;
  const held = demand.held.filter(({ address }) => intervalOf(set.ranges, address) !== undefined);
  const deaths = await findDead(store.files, held, boot, record, request.userOf);
  const alive = held.find((lease) => !deaths.some((death) => death.lease === lease));
  if (alive !== undefined) {
    const unavailable = requested === undefined ? "" : `${notAvailable(set, requested)}: `;
    throw failure(
      `${unavailable}${formatIp(alive.address)} has been allocated to ${request.containerId}, duplicate allocation is not allowed: ` +
        `${store.files.at(alive.name)} is the lease of ${describeContent(alive.content)}; DEL that attachment first`,
    );
  }
  for (const { lease, proof } of deaths) {
    store.release(lease);
    store.files.log(
      `host-local: released ${describe(store, lease)}, from an earlier ADD of this attachment: ${proof}`,
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
  // What is not ours beyond doubt, or does not have the form of a lease, is not shown.
  const by =
    content === undefined || strangeness !== undefined || !isLeaseContent(content)
      ? "a file that is not a lease"
      : describeContent(content);
  return failure(
    `${notAvailable(set, address)}: it belongs to ${by} (${store.files.at(name)}); ` +
      "ask for another, or DEL that attachment first",
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
