/** GC: frees every lease whose attachment is not in the runtime's list (rules A37, A39, L1). */
import { requireValidAttachments } from "../../cni/config.ts";
import type { Request } from "../../cni/plugin.ts";
import { parsePlace } from "./config.ts";
import { leaseContent, oldContent } from "./lease.ts";
import { LeaseFiles } from "./lease-files.ts";
import { LeaseStore } from "./lease-store.ts";

export async function gc(request: Request): Promise<void> {
  const attachments = requireValidAttachments(request.config);
  const files = new LeaseFiles(parsePlace(request.config));
  if (!files.exist()) return;
  const valid = new Set(attachments.flatMap((owner) => [leaseContent(owner), oldContent(owner)]));
  using store = LeaseStore.open(files);
  for (const lease of [...files.all()]) {
    if (lease.content !== undefined && !valid.has(lease.content)) store.release(lease);
  }
}
