/** DEL: releases what the attachment holds, whatever the ranges say now (rules H53, L9). */
import type { Request } from "../../cni/plugin.ts";
import { parsePlace } from "./config.ts";
import { leaseContent } from "./lease.ts";
import { LeaseFiles } from "./lease-files.ts";
import { LeaseStore } from "./lease-store.ts";

export async function del(request: Request): Promise<void> {
  const files = new LeaseFiles(parsePlace(request.config));
  if (!files.exist()) return;
  using store = LeaseStore.open(files);
  const held = store.heldBy(request);
  const content = leaseContent(request);
  // Files in the old format are only the fallback: they may stand for another interface of the container.
  const exact = held.filter((lease) => lease.content === content);
  for (const lease of exact.length > 0 ? exact : held) store.release(lease);
}
