/** STATUS: whether an ADD could succeed now (rules A35, L1). Changes nothing and waits for no lock. */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { type IpAddress, parseIp } from "../../net/ip.ts";
import { SystemError } from "../../sys/errno.ts";
import { listDirectory } from "../../sys/file.ts";
import { type Interval, searchOrder, sizeOf } from "./allocator.ts";
import { parseAllocation, parsePlace } from "./config.ts";
import { requireUsable } from "./directory-probe.ts";
import { type LeaseFile, LeaseFiles } from "./lease-files.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { formatSet } from "./range.ts";
import { findDead } from "./reclaim.ts";

export async function status(request: Request, machine: Machine = thisMachine): Promise<void> {
  const files = new LeaseFiles(parsePlace(request.config));
  const { sets } = parseAllocation(request);
  try {
    requireUsable(files);
    const orders = sets.map((set) => searchOrder(set, undefined));
    const counts = files.exist()
      ? await Promise.all(orders.map((order) => countHeld(files, order, machine)))
      : [];
    const states = sets.map((set, index) => {
      return { set, index, held: counts[index] ?? 0, size: sizeOf(orders[index] ?? []) };
    });
    const full = states.filter(({ held, size }) => BigInt(held) >= size);
    if (full.length === 0) return;
    const describe = ({ set, index, held, size }: (typeof states)[number]): string =>
      `range set ${index} (${formatSet(set)}): ${held} of ${size} held`;
    throw new CniError(
      code.notAvailable,
      `no IP addresses available in ${full.map(describe).join("; ")} in ${files.path}; ` +
        "DEL attachments that are gone, run GC, or configure a larger range",
      states.map(describe).join("; "),
    );
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const problem = `the lease directory ${files.path} is unusable: ${error.message}`;
    throw new CniError(code.notAvailable, problem, "", { cause: error });
  }
}

/**
 * How many addresses of the set are held. Names are enough to know that some are free; when they say that none is,
 * empty files and the leases of dead attachments are taken off, as ADD would.
 */
async function countHeld(files: LeaseFiles, order: readonly Interval[], machine: Machine): Promise<number> {
  const within = ({ family, value }: IpAddress): boolean =>
    order.some((piece) => piece.family === family && piece.from <= value && value <= piece.to);
  const named = listDirectory(files.path).flatMap((name) => {
    const address = parseIp(name);
    return address !== undefined && within(address) ? [{ name, address }] : [];
  });
  if (BigInt(named.length) < sizeOf(order)) return named.length;
  const held = named.flatMap(({ name, address }): LeaseFile[] => {
    const lease = files.read(name, address);
    return lease === undefined ? [] : [lease];
  });
  return held.length - (await findDead(files, held, machine, undefined)).length;
}
