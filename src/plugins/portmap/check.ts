/** CHECK: verifies that the container's published ports work (rules M23, M55). */
import { requirePrevResult } from "../../cni/config.ts";
import type { Request } from "../../cni/plugin.ts";
import { containerAddresses, parsePortmapConfig } from "./config.ts";

export async function check(request: Request): Promise<void> {
  const { mappings, backend, published } = parsePortmapConfig(request);
  const previous = requirePrevResult(request.config);
  if (mappings.length === 0) return;
  const { network, containerId, ifname } = request;
  const addresses = containerAddresses(previous, ifname);
  const { deviceOf } = await import("./surroundings.ts");
  const device = published.snat ? deviceOf(addresses) : undefined;
  const rules = await import("../../netfilter/portmap/check.ts");
  await rules.check(backend, { ...published, addresses, network, containerId, ifname, record: "" }, device);
}
