/** GC: releases every lease whose attachment is not in the runtime's list (rules A37, A39, L1). */
import { requireValidAttachments } from "../../cni/config.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Boot, thisBoot } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { describeContent, isLeaseContent, isLeaseOf } from "../../leases/lease.ts";
import { type LeaseFile, LeaseFiles } from "../../leases/lease-files.ts";
import { type LeaseStore, openStore } from "../../leases/lease-store.ts";
import { type LeasePlace, stateDirectory, workingPrefix } from "../../leases/place.ts";
import { findLiving, userOfLease } from "../../leases/reclaim.ts";
import { listDirectory } from "../../sys/directory.ts";
import { failedWith, SystemError } from "../../sys/errno.ts";
import { unlink } from "../../sys/file.ts";
import { ForeignFileError, requireOwnDirectory } from "../../sys/own-file.ts";
import { parsePlace } from "./config.ts";

/** Leases whose users are searched for together, with one look at the containers' interfaces. */
const PIECE = 1024;

export async function gc(request: Request, boot: Boot = thisBoot): Promise<void> {
  const { config, log, userOf } = request;
  const valid = requireValidAttachments(config);
  const place = parsePlace(config);
  const files = new LeaseFiles(place, log);
  try {
    if (!files.exist()) return;
    using store = await openStore(files, boot);
    removeLeftovers(place, log);
    // An empty list may come from a runtime that has lost its state (rule A39).
    const living =
      valid.isEmpty && userOf === undefined ? await findLiving(files, store.everything(), boot) : [];
    const kept = new Set(living.map(({ name }) => name));
    const failures = new Failures();
    let piece: LeaseFile[] = [];
    for (const lease of store.everything()) {
      const { content = "" } = lease;
      if (!isLeaseContent(content) || isLeaseOf(content, valid)) continue;
      if (lease.strangeness !== undefined) {
        const path = JSON.stringify(files.at(lease.name));
        log(`host-local: the address of ${path} stays held: the file ${lease.strangeness}`);
        continue;
      }
      piece.push(lease);
      if (piece.length < PIECE) continue;
      await releasePiece(store, request, piece, kept, failures);
      piece = [];
    }
    await releasePiece(store, request, piece, kept, failures);
    store.commit();
    // What was released is made durable even if another lease could not be released.
    await failures.attemptLast(() => files.sync());
    failures.throwIfAny();
  } catch (error) {
    throw during("cannot collect all stale leases", error);
  }
}

/** Releases leases of attachments that are not listed, except those that are alive. Goes on past failures. */
async function releasePiece(
  store: LeaseStore,
  { userOf, log }: Request,
  piece: readonly LeaseFile[],
  kept: ReadonlySet<string>,
  failures: Failures,
): Promise<void> {
  for (const lease of piece) {
    const { name, content } = lease;
    try {
      const user = kept.has(name) ? "its network namespace lives" : await userOfLease(userOf, lease, piece);
      if (user !== undefined) {
        log(`host-local: ${name} of ${describeContent(content)} is kept: ${user}`);
        continue;
      }
      store.release(lease);
      log(`host-local: released ${name}: ${describeContent(content)} is not a valid attachment`);
    } catch (error) {
      failures.add(during(`cannot remove ${store.files.at(name)}`, error));
    }
  }
}

/** Removes what a killed ADD left on a file system without unnamed files. No ADD runs during a GC (rule A41). */
function removeLeftovers(place: LeasePlace, log: (line: string) => void): void {
  try {
    const directory = stateDirectory(place);
    requireOwnDirectory(directory);
    for (const name of listDirectory(directory))
      if (name.startsWith(workingPrefix(place))) unlink(`${directory}/${name}`);
  } catch (error) {
    // The code that opens the index reports a foreign file.
    if (error instanceof ForeignFileError || failedWith(error, "ENOENT")) return;
    if (!(error instanceof SystemError)) throw error;
    log(`host-local: cannot remove what a killed ADD left: ${error.message}`);
  }
}
