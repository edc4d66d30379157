/** CHECK: the attachment still holds an address (rule H54). */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { parseAllocation, parsePlace } from "./config.ts";
import { during } from "./failure.ts";
import { LeaseFiles } from "./lease-files.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { openStore } from "./open-store.ts";

export async function check(request: Request, machine: Machine = thisMachine): Promise<void> {
  parseAllocation(request);
  const files = new LeaseFiles(parsePlace(request.config), request.log);
  try {
    if (files.exist() && (await holdsLease(files, request, machine))) return;
  } catch (error) {
    throw during("cannot look for the lease", error);
  }
  throw new CniError(
    code.internal,
    `host-local: Failed to find address added by container ${request.containerId}: ` +
      `no lease of its interface ${request.ifname} is in ${files.path}; DEL and ADD the attachment again`,
  );
}

async function holdsLease(files: LeaseFiles, request: Request, machine: Machine): Promise<boolean> {
  using store = await openStore(files, machine);
  const held = store.heldBy(request, { sure: true });
  store.commit();
  return held.length > 0;
}
