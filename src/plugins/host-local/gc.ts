/** GC: frees every lease whose attachment is not in the runtime's list (rules A37, A39, L1). */

import type { ValidAttachments } from "../../cni/attachments.ts";
import { requireValidAttachments } from "../../cni/config.ts";
import { combineErrors } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { failedWith } from "../../sys/errno.ts";
import { listDirectory } from "../../sys/file.ts";
import { unlink } from "../../sys/libc.ts";
import { type LeasePlace, leftoverPrefix, parsePlace, stateDirectory } from "./config.ts";
import { during } from "./failure.ts";
import { describeContent, isLeaseContent, isLeaseOf } from "./lease.ts";
import { LeaseFiles } from "./lease-files.ts";
import type { LeaseStore } from "./lease-store.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { openStore } from "./open-store.ts";

export async function gc(request: Request, machine: Machine = thisMachine): Promise<void> {
  const valid = requireValidAttachments(request.config);
  const place = parsePlace(request.config);
  const files = new LeaseFiles(place);
  try {
    if (!files.exist()) return;
    using store = await openStore(files, machine);
    const failures = releaseInvalid(store, valid, request.log);
    store.commit();
    removeLeftovers(place);
    const failure = combineErrors(failures);
    if (failure !== undefined) throw failure;
    files.sync();
  } catch (error) {
    throw during("cannot collect all stale leases", error);
  }
}

/** Goes on past a lease that can't be removed. Returns the errors. */
function releaseInvalid(store: LeaseStore, valid: ValidAttachments, log: (line: string) => void): unknown[] {
  const failures: unknown[] = [];
  for (const { address } of store.everything()) {
    for (const lease of store.at(address)) {
      const { content } = lease;
      if (content === undefined || isLeaseOf(content, valid) || !isLeaseContent(content)) continue;
      try {
        store.release(lease);
        log(`host-local: ${lease.name} of ${describeContent(content)} is of no valid attachment: released`);
      } catch (error) {
        failures.push(during(`cannot remove ${store.files.at(lease.name)}`, error));
      }
    }
  }
  return failures;
}

/** What a killed ADD leaves on a file system without unnamed files. The runtime runs no ADD beside GC (rule A41). */
function removeLeftovers(place: LeasePlace): void {
  try {
    const directory = stateDirectory(place);
    for (const name of listDirectory(directory)) {
      if (name.startsWith(leftoverPrefix(place))) unlink(`${directory}/${name}`);
    }
  } catch (error) {
    if (!failedWith(error, "ENOENT")) throw error;
  }
}
