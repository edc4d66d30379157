/** How one range set gives an address to an attachment, and why it can't (rules H46–H48, L4, L5, L11). */
import type { ContainerInterface } from "../../cni/attachment.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Interval } from "../../leases/address-map.ts";
import type { Machine } from "../../leases/boot.ts";
import { describeContent, isLeaseContent } from "../../leases/lease.ts";
import type { LeaseFile } from "../../leases/lease-files.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import type { Identity } from "../../leases/netns-record.ts";
import type { Death } from "../../leases/reclaim.ts";
import type { PreparedLease } from "../../leases/staged-lease.ts";
import type { UserOf } from "../../leases/user.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { capacity, searchOrder } from "./allocator.ts";
import { formatSet, type RangeSet, reservedAs } from "./range.ts";

export interface Allocation {
  readonly store: LeaseStore;
  readonly machine: Machine;
  readonly attachment: ContainerInterface;
  /** What will be recorded of the attachment; undefined if its namespace can't be opened. */
  readonly identity: Identity | undefined;
  /** Says what still uses an address, where the plugin that delegates knows. */
  readonly userOf: UserOf;
  readonly log: (line: string) => void;
}

/** One set's part of an ADD. */
export interface Demand {
  readonly set: RangeSet;
  /** The set's place in the configuration. */
  readonly index: number;
  /** The address asked for; inside the set's bounds. */
  readonly requested: IpAddress | undefined;
  /** What the attachment holds of this set already. */
  readonly held: readonly LeaseFile[];
  readonly lease: PreparedLease;
}

/** The address that the set gives; its lease is in the directory, not yet durable. @throws CniError */
export async function allocate(allocation: Allocation, demand: Demand): Promise<IpAddress> {
  const { set, index, requested, held, lease } = demand;
  const { store } = allocation;
  if (requested !== undefined) refuseReserved(set, requested);
  const returned = held.length === 0 ? undefined : await takeBack(allocation, demand);
  const wanted = requested ?? returned;
  const order = wanted === undefined ? searchOrder(set, store.files.readHint(index)) : [only(wanted)];
  const address = store.allocate(lease, order) ?? (await allocateReclaimed(allocation, lease, order));
  if (address === undefined)
    throw requested === undefined ? exhausted(store, set) : taken(store, set, requested);
  if (returned === undefined) noteHint(allocation, index, address);
  return address;
}

const only = ({ family, value }: IpAddress): Interval => ({ family, from: value, to: value });

function refuseReserved(set: RangeSet, address: IpAddress): void {
  const use = reservedAs(set, address);
  if (use === undefined) return;
  throw failure(`requested ip ${formatIp(address)} is ${use}: it is never handed out; ask for another`);
}

/**
 * Rule L5: the attachment holds an address of this set. If all it holds is proven dead this is the retry after a
 * crash: it is released, and the address to be had again is returned.
 */
async function takeBack(allocation: Allocation, demand: Demand): Promise<IpAddress | undefined> {
  const { set, requested, held } = demand;
  const { store, attachment } = allocation;
  const deaths = await deathsAmong(allocation, held);
  const alive = held.find((lease) => !deaths.some((death) => death.lease === lease));
  if (alive !== undefined) {
    const unavailable =
      requested === undefined
        ? ""
        : `requested IP address ${formatIp(requested)} is not available in range set ${formatSet(set)}: `;
    throw failure(
      `${unavailable}${formatIp(alive.address)} has been allocated to ${attachment.containerId}, duplicate allocation is not allowed: ` +
        `${store.files.at(alive.name)} is the lease of ${describeContent(alive.content ?? "")}; DEL that attachment first`,
    );
  }
  for (const { lease, proof } of deaths) {
    store.release(lease);
    allocation.log(
      `host-local: released ${describe(store, lease)}, from an earlier ADD of this attachment: ${proof}`,
    );
  }
  const address = held[0]?.address;
  return address === undefined || reservedAs(set, address) !== undefined ? undefined : address;
}

/** Rule L4: nothing is free; what dead attachments hold becomes so. */
async function allocateReclaimed(
  allocation: Allocation,
  lease: PreparedLease,
  order: readonly Interval[],
): Promise<IpAddress | undefined> {
  const { store } = allocation;
  const leases = leasesIn(store, order);
  for (const { lease: dead, proof } of await deathsAmong(allocation, leases)) {
    store.release(dead);
    allocation.log(`host-local: reclaimed ${describe(store, dead)}: ${proof}`);
  }
  return store.allocate(lease, order);
}

async function deathsAmong(allocation: Allocation, leases: readonly LeaseFile[]): Promise<Death[]> {
  if (leases.length === 0) return [];
  const { store, machine, identity: present, userOf } = allocation;
  return (await import("../../leases/reclaim.ts")).findDead(store.files, leases, {
    machine,
    present,
    userOf,
  });
}

function leasesIn(store: LeaseStore, order: readonly Interval[]): LeaseFile[] {
  const within = ({ family, value }: IpAddress): boolean =>
    order.some((piece) => piece.family === family && piece.from <= value && value <= piece.to);
  const leases: LeaseFile[] = [];
  for (const { address } of store.everything()) {
    if (!within(address)) continue;
    for (const lease of store.at(address)) if (lease.content !== undefined) leases.push(lease);
  }
  return leases;
}

const describe = (store: LeaseStore, { name, content }: LeaseFile): string =>
  `${name} of ${describeContent(content ?? "")} (${store.files.at(name)})`;

function taken(store: LeaseStore, set: RangeSet, address: IpAddress): CniError {
  const [holder] = store.at(address);
  const by = describeHolder(holder);
  const where = store.files.at(holder?.name ?? formatIp(address));
  return failure(
    `requested IP address ${formatIp(address)} is not available in range set ${formatSet(set)}: ` +
      `it belongs to ${by} (${where}); ask for another, or DEL that attachment first`,
  );
}

function exhausted(store: LeaseStore, set: RangeSet): CniError {
  const size = capacity(set);
  const state =
    size === 0n
      ? "it has no address that may be handed out; configure a larger range"
      : `all ${size} are held in ${store.files.path}, and no holder is proven to be gone; ` +
        "DEL attachments that are gone, run GC, or configure a larger range";
  return failure(`no IP addresses available in range set: ${formatSet(set)}: ${state}`);
}

/** A hint that can't be written changes the order of addresses, nothing else (rule L3). */
function noteHint({ store, log }: Allocation, index: number, address: IpAddress): void {
  try {
    store.writeHint(index, address);
  } catch (error) {
    log(`host-local: cannot note the last reserved address: ${toCniError(error).message}`);
  }
}

/** What is not ours beyond doubt, or not in the form of a lease, is not shown. */
const describeHolder = ({ content, strangeness }: Partial<LeaseFile> = {}): string =>
  content === undefined || strangeness !== undefined || !isLeaseContent(content)
    ? "a file that is not a lease"
    : describeContent(content);

const failure = (message: string): CniError => new CniError(code.internal, message);
