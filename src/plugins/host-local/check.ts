/** CHECK: the attachment still holds an address (rule H54). */
import { CniError, code } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { parseAllocation, parsePlace } from "./config.ts";
import { LeaseFiles } from "./lease-files.ts";
import { LeaseStore } from "./lease-store.ts";

export async function check(request: Request): Promise<void> {
  parseAllocation(request);
  const files = new LeaseFiles(parsePlace(request.config));
  if (files.exist()) {
    using store = LeaseStore.open(files);
    if (store.heldBy(request).length > 0) return;
  }
  throw new CniError(
    code.internal,
    `host-local: Failed to find address added by container ${request.containerId}: ` +
      `no lease of it with interface ${request.ifname} is in ${files.path}`,
  );
}
