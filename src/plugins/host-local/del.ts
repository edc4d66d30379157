/** DEL: releases what the attachment holds, whatever the ranges say now (rules H53, L9). */
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Machine, thisMachine } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { leaseContent } from "../../leases/lease.ts";
import { LeaseFiles } from "../../leases/lease-files.ts";
import { openStore } from "../../leases/open-store.ts";
import { stillUsed, userOfLease } from "../../leases/user.ts";
import { parsePlace } from "./config.ts";

export async function del(request: Request, machine: Machine = thisMachine): Promise<void> {
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  try {
    if (files.exist()) await release(files, request, machine);
  } catch (error) {
    throw during("cannot release the lease", error);
  }
}

async function release(files: LeaseFiles, request: Request, machine: Machine): Promise<void> {
  let mustBeDurable = false;
  const failures = new Failures(request.time);
  {
    using store = await openStore(files, machine);
    store.inspectSome();
    const held = store.heldBy(request, { sure: true });
    // Files in the old format are the fallback only: they may stand for another interface of the container.
    const exact = held.filter(({ content }) => content === leaseContent(request));
    const leases = exact.length > 0 ? exact : held;
    for (const lease of leases) {
      await failures.attemptLast(async () => {
        const user = await userOfLease(request.userOf, lease, leases);
        if (user !== undefined) throw stillUsed(lease, user, files.at(lease.name));
        // A lease that comes back with a power failure is reclaimed after it, if it says what boot it is of.
        mustBeDurable ||= files.identityOf(lease) === undefined;
        store.release(lease);
      });
    }
    store.commit();
  }
  if (mustBeDurable) files.sync();
  failures.throwIfAny();
}
