/**
 * STATUS: whether this node can lease addresses (rules A35, L1). It changes nothing and does not wait for the lock.
 * After an error the runtime takes the whole node out of service, with its healthy containers. So a range without a
 * free address is only logged, unless the configuration sets statusReportsExhaustion.
 */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Boot, thisBoot } from "../../leases/boot.ts";
import { requireUsable } from "../../leases/directory-probe.ts";
import { type LeaseFile, LeaseFiles } from "../../leases/lease-files.ts";
import { findDead } from "../../leases/reclaim.ts";
import { type Interval, intervalOf, sizeOf } from "../../net/interval.ts";
import { parseIp } from "../../net/ip.ts";
import { forEachName } from "../../sys/directory.ts";
import { isFileFailure } from "../../sys/own-file.ts";
import { searchOrder } from "./allocator.ts";
import { parseAllocation, parsePlace, rangesComeWithAdd } from "./config.ts";
import { formatSet } from "./range.ts";

/** A range set with the addresses that it may hand out. */
interface Pool {
  readonly name: string;
  readonly order: readonly Interval[];
  readonly size: bigint;
}

export async function status(request: Request, boot: Boot = thisBoot): Promise<void> {
  const { config, log } = request;
  const files = new LeaseFiles(parsePlace(config), log);
  const allocation = rangesComeWithAdd(request) ? undefined : parseAllocation(request);
  try {
    requireUsable(files);
  } catch (error) {
    throw unusable(files, error);
  }
  if (allocation === undefined) return;
  const pools = allocation.sets.map((set, index): Pool => {
    const order = searchOrder(set, undefined);
    return { name: `range set ${index} (${formatSet(set)})`, order, size: sizeOf(order) };
  });
  // The configuration is wrong if a set has no address to hand out: no container can ever be added (L11).
  const empty = pools.find(({ size }) => size === 0n);
  if (empty !== undefined) {
    const problem = `${empty.name} has no address that may be handed out`;
    throw new CniError(code.notAvailable, `${problem}; configure a larger range`);
  }
  try {
    await requireFreeAddresses(files, pools, boot);
  } catch (error) {
    const problem = unusable(files, error);
    if (allocation.statusReportsExhaustion) throw problem;
    log(`host-local: ${problem.message}`);
  }
}

function unusable(files: LeaseFiles, error: unknown): CniError {
  if (!isFileFailure(error)) return toCniError(error);
  const problem = `the lease directory ${files.path} is unusable: ${error.message}`;
  return new CniError(code.notAvailable, problem, "", { cause: error });
}

/** @throws CniError code 50, with the counts of all sets, if one has no free address. */
async function requireFreeAddresses(files: LeaseFiles, pools: readonly Pool[], boot: Boot): Promise<void> {
  const all: string[] = [];
  const full: string[] = [];
  for (const pool of pools) {
    const held = files.exist() ? await countHeld(files, pool, boot) : 0;
    const state = `${pool.name}: ${held} of ${pool.size} held`;
    all.push(state);
    if (BigInt(held) >= pool.size) full.push(state);
  }
  if (full.length === 0) return;
  throw new CniError(
    code.notAvailable,
    `no IP addresses available in ${full.join("; ")} in ${files.path}; ` +
      "DEL attachments that are gone, run GC, or configure a larger range",
    all.join("; "),
  );
}

/**
 * How many addresses of the set are held. The files' names are enough if they leave an address free. Otherwise empty
 * files and the leases of dead attachments do not count, since ADD would reclaim them.
 */
async function countHeld(files: LeaseFiles, { order, size }: Pool, boot: Boot): Promise<number> {
  const names: string[] = [];
  forEachName(files.path, (name) => {
    const address = parseIp(name);
    if (address !== undefined && intervalOf(order, address) !== undefined) names.push(name);
  });
  if (BigInt(names.length) < size) return names.length;
  const held: LeaseFile[] = [];
  for (const name of names) {
    const address = parseIp(name);
    const lease = address && files.read(name, address);
    if (lease !== undefined) held.push(lease);
  }
  return held.length - (await findDead(files, held, boot)).length;
}
