/** STATUS: verifies that an ADD could work now (rules A35, A36, G2). Changes nothing. */
import { delegateStatus } from "../../cni/delegate.ts";
import { CniError, code, toCniError } from "../../cni/error.ts";
import type { Request } from "../../cni/plugin.ts";
import { requireBridge } from "../../links/bridge.ts";
import { findLink } from "../../links/link.ts";
import { connect } from "../../links/namespaces.ts";
import { missingForAttachments } from "../../sys/capability.ts";
import { parseBridgeConfig } from "./config.ts";
import { requireFeasibleConfiguration } from "./feasibility.ts";

export async function status(request: Request): Promise<void> {
  const config = parseBridgeConfig(request);
  const givesIpv6 = config.ipam !== undefined && requireFeasibleConfiguration(request, config);
  const missing = missingForAttachments();
  if (missing !== undefined) throw new CniError(code.notAvailable, `no container can be added: ${missing}`);
  using host = connect();
  const link = findLink(host, config.bridge);
  try {
    if (link !== undefined) requireBridge(link);
  } catch (error) {
    throw new CniError(code.notAvailable, toCniError(error).message, "", { cause: error });
  }
  if (config.ipam === undefined) return;
  if (givesIpv6) {
    const gateway = config.vlan === 0 ? config.bridge : `${config.bridge}.${config.vlan}`;
    const cause = (await import("../../links/ipv6.ts")).whyNoIpv6(config.isGateway ? gateway : undefined);
    if (cause !== undefined) throw new CniError(code.notAvailable, `no container can be added: ${cause}`);
  }
  await delegateStatus(request, config.ipam);
  if (config.ipMasq)
    await (await import("../../netfilter/masquerade/usable.ts")).requireUsable(config.ipMasqBackend);
}
