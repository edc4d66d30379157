/**
 * STATUS: whether this node can lease addresses (rules A35, L1). Changes nothing and waits for no lock. A runtime that
 * gets an error takes the whole node out of service, and its healthy containers with it. So a range without a free
 * address is only logged, unless the configuration asks for the error.
 */
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import type { Interval } from "../../leases/address-map.ts";
import { type Machine, thisMachine } from "../../leases/boot.ts";
import { type LeaseFile, LeaseFiles } from "../../leases/lease-files.ts";
import { findDead } from "../../leases/reclaim.ts";
import { type IpAddress, parseIp } from "../../net/ip.ts";
import { forEachName } from "../../sys/file.ts";
import { isFileFailure } from "../../sys/own-file.ts";
import { capacity, searchOrder, sizeOf } from "./allocator.ts";
import { parseAllocation, parsePlace, rangesComeWithAdd } from "./config.ts";
import { requireUsable } from "./directory-probe.ts";
import { formatSet, type RangeSet } from "./range.ts";

export async function status(request: Request, machine: Machine = thisMachine): Promise<void> {
  const { config } = request;
  const files = new LeaseFiles(parsePlace(config), request.log);
  const allocation = rangesComeWithAdd(config) ? undefined : parseAllocation(request);
  try {
    requireUsable(files);
  } catch (error) {
    throw unusable(files, error);
  }
  if (allocation === undefined) return;
  refuseEmpty(allocation.sets);
  try {
    await requireFreeAddresses(files, allocation.sets, machine);
  } catch (error) {
    const problem = unusable(files, error);
    if (allocation.statusReportsExhaustion) throw problem;
    request.log(`host-local: ${problem.message}`);
  }
}

function unusable(files: LeaseFiles, error: unknown): CniError {
  if (!isFileFailure(error)) return toCniError(error);
  const problem = `the lease directory ${files.path} is unusable: ${error.message}`;
  return new CniError(code.notAvailable, problem, "", { cause: error });
}

/** A set without any address to hand out is a wrong configuration: no container can ever be added with it (L11). */
function refuseEmpty(sets: readonly RangeSet[]): void {
  const index = sets.findIndex((set) => capacity(set) === 0n);
  const empty = sets[index];
  if (empty === undefined) return;
  const problem = `range set ${index} (${formatSet(empty)}) has no address that may be handed out`;
  throw new CniError(code.notAvailable, `${problem}; configure a larger range`);
}

/** @throws CniError code 50 with the counts, of each set when one has no free address. */
async function requireFreeAddresses(
  files: LeaseFiles,
  sets: readonly RangeSet[],
  machine: Machine,
): Promise<void> {
  const states: { name: string; size: bigint; held: number }[] = [];
  for (const [index, set] of sets.entries()) {
    const order = searchOrder(set, undefined);
    const size = sizeOf(order);
    const name = `range set ${index} (${formatSet(set)})`;
    states.push({ name, size, held: files.exist() ? await countHeld(files, order, machine) : 0 });
  }
  const full = states.filter(({ held, size }) => BigInt(held) >= size);
  if (full.length === 0) return;
  const describe = ({ name, held, size }: (typeof states)[number]): string =>
    `${name}: ${held} of ${size} held`;
  throw new CniError(
    code.notAvailable,
    `no IP addresses available in ${full.map(describe).join("; ")} in ${files.path}; ` +
      "DEL attachments that are gone, run GC, or configure a larger range",
    states.map(describe).join("; "),
  );
}

/**
 * How many addresses of the set are held. Names are enough to know that some are free; when they say that none is,
 * empty files and the leases of dead attachments are taken off, as ADD would.
 */
async function countHeld(files: LeaseFiles, order: readonly Interval[], machine: Machine): Promise<number> {
  const within = ({ family, value }: IpAddress): boolean =>
    order.some((piece) => piece.family === family && piece.from <= value && value <= piece.to);
  let named = 0;
  forEachHeld(files, within, () => named++);
  if (BigInt(named) < sizeOf(order)) return named;
  const held: LeaseFile[] = [];
  forEachHeld(files, within, (name, address) => {
    const lease = files.read(name, address);
    if (lease !== undefined) held.push(lease);
  });
  return (
    held.length - (await findDead(files, held, { machine, present: undefined, userOf: undefined })).length
  );
}

/** The files that are named after an address of the set. */
const forEachHeld = (
  files: LeaseFiles,
  within: (address: IpAddress) => boolean,
  use: (name: string, address: IpAddress) => void,
): void =>
  forEachName(files.path, (name) => {
    const address = parseIp(name);
    if (address !== undefined && within(address)) use(name, address);
  });
