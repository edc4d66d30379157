/** How one range set gives an address to an attachment, and why it cannot (rules H46–H48, L4, L5, L11). */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Boot } from "../../leases/boot.ts";
import { describeContent, isLeaseContent } from "../../leases/lease.ts";
import type { LeaseFile } from "../../leases/lease-files.ts";
import type { Interval } from "../../leases/lease-index.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import type { NetnsRecord } from "../../leases/netns-record.ts";
import type { Death } from "../../leases/reclaim.ts";
import type { StagedLease } from "../../leases/staged-lease.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { isWithin, searchOrder, sizeOf } from "./allocator.ts";
import { formatSet, type RangeSet, rangeOf, reservedAs } from "./range.ts";

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

/** The address that the set gives; its lease is in the directory, not yet durable. @throws CniError */
export async function allocate(demand: Demand): Promise<IpAddress> {
  const { store, set, index, requested, lease } = demand;
  const use = requested && reservedAs(set, requested);
  if (requested !== undefined && use !== undefined)
    throw failure(`requested ip ${formatIp(requested)} is ${use}: it is never handed out; ask for another`);
  const held = demand.held.filter(({ address }) => rangeOf(set, address) !== undefined);
  const returned = held.length === 0 ? undefined : await takeBack(demand, held);
  const wanted = requested ?? returned;
  const order =
    wanted === undefined
      ? searchOrder(set, store.files.readHint(index))
      : [{ family: wanted.family, from: wanted.value, to: wanted.value }];
  const address = store.allocate(lease, order) ?? (await allocateReclaimed(demand, order));
  if (address === undefined)
    throw requested === undefined ? exhausted(store, set) : taken(store, set, requested);
  if (returned === undefined) {
    try {
      store.writeHint(index, address);
    } catch (error) {
      // The order of addresses changes, nothing else (rule L3).
      store.files.log(`host-local: cannot note the last reserved address: ${toCniError(error).message}`);
    }
  }
  return address;
}

/**
 * Rule L5: the attachment holds addresses of this set. If all are proven dead this is the retry after a crash: they are
 * released, and the address to be had again is returned.
 */
async function takeBack(demand: Demand, held: readonly LeaseFile[]): Promise<IpAddress | undefined> {
  const { store, request, set, requested } = demand;
  const deaths = await deathsAmong(demand, held);
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

/** Rule L4: nothing is free; what dead attachments hold becomes so. */
async function allocateReclaimed(demand: Demand, order: readonly Interval[]): Promise<IpAddress | undefined> {
  const { store, lease } = demand;
  const leases: LeaseFile[] = [];
  for (const other of store.everything())
    if (other.content !== undefined && isWithin(order, other.address)) leases.push(other);
  for (const { lease: dead, proof } of await deathsAmong(demand, leases)) {
    store.release(dead);
    store.files.log(`host-local: reclaimed ${describe(store, dead)}: ${proof}`);
  }
  return store.allocate(lease, order);
}

async function deathsAmong(
  { store, boot, record, request }: Demand,
  leases: readonly LeaseFile[],
): Promise<Death[]> {
  if (leases.length === 0) return [];
  const { findDead } = await import("../../leases/reclaim.ts");
  return findDead(store.files, leases, boot, record, request.userOf);
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
