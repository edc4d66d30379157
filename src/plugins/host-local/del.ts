/** DEL: releases the attachment's leases, whatever the configured ranges are now (rules H53, L9). */
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { type Boot, thisBoot } from "../../leases/boot.ts";
import { during } from "../../leases/failure.ts";
import { describeContent, leaseContent } from "../../leases/lease.ts";
import { type LeaseFile, LeaseFiles } from "../../leases/lease-files.ts";
import { openStore } from "../../leases/lease-store.ts";
import { parsePlace } from "./config.ts";

export async function del(request: Request, boot: Boot = thisBoot): Promise<void> {
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  try {
    if (files.exist()) await release(files, request, boot);
  } catch (error) {
    throw during("cannot release the lease", error);
  }
}

async function release(files: LeaseFiles, request: Request, boot: Boot): Promise<void> {
  let mustBeDurable = false;
  const failures = new Failures(request.time);
  {
    using store = await openStore(files, boot);
    store.inspectSome();
    const held = store.heldBy(request, true);
    // Files in the old format are only the fallback: they may belong to another interface of the container.
    const content = leaseContent(request);
    const exact = held.filter((lease) => lease.content === content);
    const leases = exact.length > 0 ? exact : held;
    for (const lease of leases) {
      await failures.attemptLast(async () => {
        if (request.userOf !== undefined) await requireUnused(request, lease, leases, files);
        // A power failure can bring a removed lease back. If it has a netns record, a later ADD reclaims it.
        mustBeDurable ||= files.recordOf(lease) === undefined;
        store.release(lease);
      });
    }
    store.commit();
  }
  if (mustBeDurable) await failures.attemptLast(() => files.sync());
  failures.throwIfAny();
}

/** @throws CniError if an interface still has the address: another container must not get it (rule K6). */
async function requireUnused(
  { userOf }: Request,
  lease: LeaseFile,
  among: readonly LeaseFile[],
  files: LeaseFiles,
): Promise<void> {
  const user = await (await import("../../leases/reclaim.ts")).userOfLease(userOf, lease, among);
  if (user === undefined) return;
  throw new CniError(
    code.internal,
    `cannot release ${lease.name} of ${describeContent(lease.content)}: ${user}, and another container must not get its address; ` +
      `remove that interface and try again (the lease is ${files.at(lease.name)})`,
  );
}
