/** STATUS: verifies that ports could be published now (M40). Changes nothing. */
import type { Request } from "../../cni/plugin.ts";
import { requireUsable } from "../../netfilter/portmap/usable.ts";
import { parsePortmapConfig } from "./config.ts";

export async function status(request: Request): Promise<void> {
  const { backend, published } = parsePortmapConfig(request);
  await requireUsable(backend, published.externalSetMarkChain);
}
