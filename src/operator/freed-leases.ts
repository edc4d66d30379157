/**
 * Copies of freed leases, kept for a day beside the leases, so that a mistake can be taken back (rule O11): a file of JSON
 * lines for each network, in the directory of files that are not leases (place.ts).
 */
import { LeaseFiles, readUpTo } from "../leases/lease-files.ts";
import { formatRecord } from "../leases/netns-record.ts";
import { type LeasePlace, stateDirectory } from "../leases/place.ts";
import { StagedLease } from "../leases/staged-lease.ts";
import { formatIp, parseIp } from "../net/ip.ts";
import { timeOfDay } from "../sys/clock.ts";
import { writeAll } from "../sys/descriptor.ts";
import { failedWith } from "../sys/errno.ts";
import { fsync, ftruncate, O, unlink } from "../sys/file.ts";
import { lockFile } from "../sys/flock.ts";
import { ensureOwnDirectory, openOwn } from "../sys/own-file.ts";
import type { Lease } from "./lease-folders.ts";

/** Nanoseconds that a copy is kept. */
const KEPT = 86_400_000_000_000n;

/** Milliseconds to wait for the lock of a network. */
const LOCK_WAIT = 10_000;

/** A freed lease. */
interface Freed {
  /** Nanoseconds since the epoch: the time of the run that freed it, by which its copies are found again. */
  readonly at: bigint;
  readonly address: string;
  readonly content: string;
  /** The netns record as text; "" if it had none. */
  readonly record: string;
}

const pathOf = (place: LeasePlace): string => `${stateDirectory(place)}/freed+${place.network}`;

/**
 * Keeps copies of leases, before they are freed. `at` is the time of the run, the same in all of its calls: what has the
 * newest time comes back together. The caller holds the network's lock. Copies are appended, since a run may free thousands
 * of attachments one by one. @throws SystemError
 */
export function keepCopies(place: LeasePlace, leases: readonly Lease[], at: bigint): void {
  ensureOwnDirectory(stateDirectory(place));
  const added = leases.map(
    ({ address, file: { content = "" }, record }): Freed => ({
      at,
      address: formatIp(address),
      content,
      record: record === undefined ? "" : formatRecord(record, content),
    }),
  );
  const first = firstOf(place);
  if (first !== undefined && at - first.at < KEPT) write(place, added, "append");
  else write(place, [...readCopies(place).filter((copy) => at - copy.at < KEPT), ...added], "replace");
}

/** O_APPEND of fcntl.h. */
const APPEND = 0o2000;

/** Adds copies to the file, or replaces its content. A line that a killed run has not finished is ended by the next one. */
function write(place: LeasePlace, copies: readonly Freed[], mode: "append" | "replace"): void {
  const lines = copies.map(({ at, ...rest }) => `\n${JSON.stringify({ at: String(at), ...rest })}`);
  const bytes = new TextEncoder().encode(`${lines.join("")}\n`);
  using file = openOwn(pathOf(place), O.WRONLY | O.CREAT | (mode === "append" ? APPEND : 0), 0o600);
  if (mode === "replace") ftruncate(file.fd, 0);
  writeAll(file.fd, bytes);
  fsync(file.fd);
}

/** Most bytes of the first copy. */
const FIRST = 4096;

/** The oldest copy; undefined if there is none, or if it is longer than that. */
const firstOf = (place: LeasePlace): Freed | undefined => readCopies(place, FIRST)[0];

/** Lines that are not ours are left out. @throws SystemError, ForeignFileError */
function readCopies(place: LeasePlace, most = Number.POSITIVE_INFINITY): Freed[] {
  let text: string;
  try {
    using file = openOwn(pathOf(place), O.RDONLY);
    text = new TextDecoder().decode(readUpTo(file.fd, Math.min(file.status.size, most)));
  } catch (error) {
    if (failedWith(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    try {
      const { at, address, content, record } = JSON.parse(line) as Record<string, unknown>;
      if ([at, address, content, record].some((each) => typeof each !== "string")) return [];
      return {
        at: BigInt(String(at)),
        address: String(address),
        content: String(content),
        record: String(record),
      };
    } catch {
      return [];
    }
  });
}

/** The copies of the last run that freed anything in this folder, which are younger than a day. */
export function lastFreed(place: LeasePlace): readonly Freed[] {
  const now = timeOfDay();
  const young = readCopies(place).filter((copy) => now - copy.at < KEPT);
  const last = young.reduce((most, { at }) => (at > most ? at : most), 0n);
  return young.filter(({ at }) => at === last);
}

/** What became of a copy. */
export interface Restored {
  readonly address: string;
  readonly content: string;
  /** False if the address was given to another container meanwhile. */
  readonly isBack: boolean;
}

/** Puts the leases of the last run in this folder back, unless their addresses are taken, and forgets their copies. @throws SystemError */
export function putBack(place: LeasePlace): Restored[] {
  const files = new LeaseFiles(place, () => {});
  using _lock = lockFile(files.at("lock"), LOCK_WAIT);
  const copies = lastFreed(place);
  const restored = copies.map(({ address: text, content, record }): Restored => {
    const address = parseIp(text);
    if (address === undefined) return { address: text, content, isBack: false };
    using lease = new StagedLease(files, content, record === "" ? undefined : record);
    return { address: text, content, isBack: lease.publish(address) };
  });
  const others = readCopies(place).filter(({ at }) => at !== copies[0]?.at);
  if (others.length > 0) write(place, others, "replace");
  else if (copies.length > 0) unlink(pathOf(place));
  return restored;
}
