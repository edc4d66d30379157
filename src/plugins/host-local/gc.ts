/** GC: frees every lease whose attachment is not in the runtime's list (rules A37, A39, L1). */

import type { ValidAttachments } from "../../cni/attachments.ts";
import { requireValidAttachments } from "../../cni/config.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Machine, thisMachine } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { describeContent, isLeaseContent, isLeaseOf } from "../../leases/lease.ts";
import { type LeaseFile, LeaseFiles } from "../../leases/lease-files.ts";
import type { LeaseStore } from "../../leases/lease-store.ts";
import { openStore } from "../../leases/open-store.ts";
import { type LeasePlace, leftoverPrefix, stateDirectory } from "../../leases/place.ts";
import { type UserOf, userOfLease } from "../../leases/user.ts";
import { failedWith, SystemError } from "../../sys/errno.ts";
import { listDirectory } from "../../sys/file.ts";
import { unlink } from "../../sys/libc.ts";
import { ForeignFileError, requireOwnDirectory } from "../../sys/own-file.ts";
import { parsePlace } from "./config.ts";

export async function gc(request: Request, machine: Machine = thisMachine): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const place = parsePlace(request.config);
  const files = new LeaseFiles(place, request.log);
  try {
    if (!files.exist()) return;
    using store = await openStore(files, machine);
    removeLeftovers(place, request.log);
    const keeper = await Keeper.of(request, store, machine, valid.isEmpty);
    const failures = await releaseInvalid(store, valid, keeper);
    store.commit();
    failures.throwIfAny();
    files.sync();
  } catch (error) {
    throw during("cannot collect all stale leases", error);
  }
}

/** Goes on past a lease that can't be removed. */
async function releaseInvalid(store: LeaseStore, valid: ValidAttachments, keeper: Keeper): Promise<Failures> {
  const failures = new Failures();
  for (const piece of inPieces(staleLeases(store, valid, keeper.log))) {
    for (const lease of piece) {
      try {
        if (await keeper.keeps(lease, piece)) continue;
        store.release(lease);
        keeper.log(
          `host-local: released ${lease.name}: ${describeContent(lease.content ?? "")} is not a valid attachment`,
        );
      } catch (error) {
        failures.add(during(`cannot remove ${store.files.at(lease.name)}`, error));
      }
    }
  }
  return failures;
}

/** Leases that are read before their users are asked for, with one look at what the containers have. */
const PIECE = 1024;

function* inPieces(leases: Iterable<LeaseFile>): Generator<LeaseFile[]> {
  let piece: LeaseFile[] = [];
  for (const lease of leases) {
    piece.push(lease);
    if (piece.length < PIECE) continue;
    yield piece;
    piece = [];
  }
  yield piece;
}

/** The leases of attachments that are not listed. What has another form than a lease is left alone. */
function* staleLeases(
  store: LeaseStore,
  valid: ValidAttachments,
  log: (line: string) => void,
): Generator<LeaseFile> {
  for (const { address } of store.everything()) {
    for (const lease of store.at(address)) {
      const { content, strangeness } = lease;
      if (content === undefined || isLeaseOf(content, valid) || !isLeaseContent(content)) continue;
      if (strangeness === undefined) yield lease;
      else {
        const path = JSON.stringify(store.files.at(lease.name));
        log(`host-local: the address of ${path} stays held: the file ${strangeness}`);
      }
    }
  }
}

/** Keeps leases of attachments that are not listed and whose interfaces live. */
class Keeper {
  readonly log: (line: string) => void;
  private readonly userOf: UserOf;
  private readonly living: ReadonlySet<string>;

  private constructor({ userOf, log }: Request, living: ReadonlySet<string>) {
    this.userOf = userOf;
    this.log = log;
    this.living = living;
  }

  /**
   * An empty list may come from a runtime that has lost its memory: without a plugin that knows the interfaces, what was
   * recorded in a namespace that lives stays (rule A39).
   */
  static async of(request: Request, store: LeaseStore, machine: Machine, isEmpty: boolean): Promise<Keeper> {
    if (!isEmpty || request.userOf !== undefined) return new Keeper(request, new Set());
    const { findLiving } = await import("../../leases/reclaim.ts");
    const leases = store
      .everything()
      .flatMap(({ address }) => store.at(address))
      .toArray();
    const living = await findLiving(store.files, leases, machine);
    return new Keeper(request, new Set(living.map(({ name }) => name)));
  }

  /** `among` are the leases that are asked for together. */
  async keeps(lease: LeaseFile, among: readonly LeaseFile[]): Promise<boolean> {
    const user = this.living.has(lease.name)
      ? "its network namespace lives"
      : await userOfLease(this.userOf, lease, among);
    if (user === undefined) return false;
    const { name, content = "" } = lease;
    this.log(`host-local: ${name} of ${describeContent(content)} is kept: ${user}`);
    return true;
  }
}

/** What a killed ADD leaves on a file system without unnamed files. The runtime runs no ADD beside GC (rule A41). */
function removeLeftovers(place: LeasePlace, log: (line: string) => void): void {
  try {
    const directory = stateDirectory(place);
    requireOwnDirectory(directory);
    for (const name of listDirectory(directory)) {
      if (name.startsWith(leftoverPrefix(place))) unlink(`${directory}/${name}`);
    }
  } catch (error) {
    // What is there instead of the directory is named by the code that opens the cache.
    if (error instanceof ForeignFileError || failedWith(error, "ENOENT")) return;
    if (!(error instanceof SystemError)) throw error;
    log(`host-local: cannot remove what a killed ADD left: ${error.message}`);
  }
}
